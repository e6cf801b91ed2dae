"""The alert rules: promtool takes them, each fires at what it is for and at nothing else, and each
has its place in the runbook."""

import json
import re

import pytest

from support.binaries import REPOSITORY
from support.metrics import promtool, scrape

RULES = REPOSITORY / "config" / "alerts.yml"
RUNBOOK = REPOSITORY / "config" / "runbook.md"

MINUTES = 60  # how long each case goes on; series are given minute by minute

HEALTHY = {
    "up": "1",
    "process_start_time_seconds": "5",
    "tollkeeper_redis_configured": "1",
    "tollkeeper_redis_connected": "1",
    'tollkeeper_redis_breaker_state{state="closed"}': "1",
    'tollkeeper_redis_breaker_state{state="open"}': "0",
    'tollkeeper_redis_breaker_state{state="half-open"}': "0",
    'tollkeeper_fallback_answers_total{reason="away"}': "0+5",
    'tollkeeper_checks_total{source="redis"}': "0+1000",
    'tollkeeper_redis_errors_total{kind="oom"}': "0",
    'tollkeeper_redis_errors_total{kind="noscript"}': "0+600",
    'tollkeeper_redis_call_duration_seconds_bucket{le="0.001"}': "0+1000",
    'tollkeeper_redis_call_duration_seconds_bucket{le="0.1"}': "0+1005",
    'tollkeeper_redis_call_duration_seconds_bucket{le="+Inf"}': "0+1005",
    'tollkeeper_check_duration_seconds_bucket{le="0.001"}': "0+1000",
    'tollkeeper_check_duration_seconds_bucket{le="0.1"}': "0+1005",
    'tollkeeper_check_duration_seconds_bucket{le="+Inf"}': "0+1005",
    "tollkeeper_journal_oldest_unapplied_timestamp_seconds": "0+59",
    'tollkeeper_journal_state{state="ready"}': "1",
    'tollkeeper_journal_state{state="full"}': "0",
    'tollkeeper_journal_state{state="failed"}': "0",
    "tollkeeper_journal_bytes": "79",
    "tollkeeper_journal_limit_bytes": "100",
    "tollkeeper_charges_given_up_total": "3",
    "tollkeeper_charges_gap_total": "3",
    "tollkeeper_costs_fenced": "0",
    "tollkeeper_costs_unsafe_eviction": "0",
    "tollkeeper_requests_without_memory_total": "3",
    "tollkeeper_keys_evicted_total": "3",
    "tollkeeper_connections_refused_total": "3",
    "tollkeeper_clients": "89",
    "tollkeeper_clients_limit": "100",
    "tollkeeper_loop_stuck_seconds": "9",
    "tollkeeper_loop_stalls_total": "0+50",
    "tollkeeper_audit_records_lost_total": "3",
    "tollkeeper_audit_errors_total": "3",
    "tollkeeper_config_last_reload_successful": "1",
}

# What differs from a healthy daemon, and which alerts fire then: these and no others.
CASES = [
    ({}, set()),
    ({"tollkeeper_redis_configured": "0", "tollkeeper_redis_connected": "0"}, set()),
    ({"tollkeeper_journal_bytes": "0", "tollkeeper_journal_limit_bytes": "0",
      "tollkeeper_journal_oldest_unapplied_timestamp_seconds": "0"}, set()),
    ({"up": "0"}, {"TollkeeperDown"}),
    ({"process_start_time_seconds": "5+60"}, {"TollkeeperRestarting"}),
    ({"tollkeeper_redis_connected": "0"}, {"TollkeeperRedisAway"}),
    ({'tollkeeper_redis_breaker_state{state="closed"}': "0",
      'tollkeeper_redis_breaker_state{state="open"}': "1"}, {"TollkeeperBreakerOpen"}),
    ({'tollkeeper_redis_breaker_state{state="closed"}': "0",
      'tollkeeper_redis_breaker_state{state="half-open"}': "1"}, {"TollkeeperBreakerOpen"}),
    ({'tollkeeper_fallback_answers_total{reason="away"}': "0+20"}, {"TollkeeperFallback"}),
    ({'tollkeeper_redis_errors_total{kind="oom"}': "0+10"}, {"TollkeeperRedisErrors"}),
    ({'tollkeeper_redis_call_duration_seconds_bucket{le="0.1"}': "0+1050",
      'tollkeeper_redis_call_duration_seconds_bucket{le="+Inf"}': "0+1050"},
     {"TollkeeperRedisSlow"}),
    ({'tollkeeper_check_duration_seconds_bucket{le="0.1"}': "0+1050",
      'tollkeeper_check_duration_seconds_bucket{le="+Inf"}': "0+1050"}, {"TollkeeperChecksSlow"}),
    ({"tollkeeper_journal_oldest_unapplied_timestamp_seconds": "1"}, {"TollkeeperChargesWaiting"}),
    ({'tollkeeper_journal_state{state="ready"}': "0",
      'tollkeeper_journal_state{state="full"}': "1"}, {"TollkeeperJournalRefuses"}),
    ({"tollkeeper_journal_bytes": "81"}, {"TollkeeperJournalFilling"}),
    ({"tollkeeper_charges_given_up_total": "3+1"}, {"TollkeeperChargesGivenUp"}),
    ({"tollkeeper_charges_gap_total": "3+1"}, {"TollkeeperRedisForgot"}),
    ({"tollkeeper_costs_fenced": "1"}, {"TollkeeperCostsFenced"}),
    ({"tollkeeper_costs_unsafe_eviction": "1"}, {"TollkeeperCostsUnsafe"}),
    ({"tollkeeper_requests_without_memory_total": "3+1"}, {"TollkeeperOutOfMemory"}),
    ({"tollkeeper_keys_evicted_total": "3+1"}, {"TollkeeperKeysEvicted"}),
    ({"tollkeeper_clients": "91"}, {"TollkeeperClientsFull"}),
    ({"tollkeeper_connections_refused_total": "3+1"}, {"TollkeeperClientsFull"}),
    ({"tollkeeper_loop_stuck_seconds": "11"}, {"TollkeeperLoopStuck"}),
    ({"tollkeeper_loop_stalls_total": "0+90"}, {"TollkeeperLoopStalls"}),
    ({"tollkeeper_audit_records_lost_total": "3+1"}, {"TollkeeperAuditIncomplete"}),
    ({"tollkeeper_audit_errors_total": "3+1"}, {"TollkeeperAuditIncomplete"}),
    ({"tollkeeper_config_last_reload_successful": "0"}, {"TollkeeperReloadFailed"}),
]


def alerts():
    return set(re.findall(r"^ +- alert: (\w+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE))


def series(name, values):
    """As promtool's tests have it; `values` is one for all minutes, or from+step."""
    metric, _, labels = name.partition("{")
    labels = ",".join(filter(None, ['job="tollkeeper"', 'instance="h:9464"', labels.rstrip("}")]))
    start, _, step = values.partition("+")
    return {"series": f"{metric}{{{labels}}}", "values": f"{start}+{step or 0}x{MINUTES}"}


def firing(at, names):
    return {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": at,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]}


def test_promtool_takes_the_rules():
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout


def test_each_alert_fires_at_what_it_is_for_and_at_nothing_else(place):
    tests = [{"interval": "1m", "input_series": [series(*one) for one in
                                                 {**HEALTHY, **differs}.items()],
              "promql_expr_test": [firing(f"{MINUTES // 2}m", expected)]}
             for differs, expected in CASES]
    file = place / "tests.json"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m",
                                "tests": tests}), encoding="utf-8")
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert set().union(*(expected for _, expected in CASES)) == alerts(), "all were seen firing"


def test_each_alert_has_its_link_and_its_place_in_the_runbook():
    text = RULES.read_text(encoding="utf-8")
    links = re.findall(r"runbook_url: \S+/runbook\.md#(\w+)$", text, re.MULTILINE)
    assert sorted(links) == sorted(name.lower() for name in alerts())
    headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alerts())
    inner = re.findall(r"\]\(#(\w+)\)", RUNBOOK.read_text(encoding="utf-8"))
    assert inner and set(inner) <= {name.lower() for name in headings}


@pytest.mark.parametrize("source", ["rules", "tests"])
def test_every_metric_that_is_named_is_on_the_page(daemon, source):
    page = scrape(daemon("", metrics=True).metrics_port()).names()
    text = RULES.read_text(encoding="utf-8") if source == "rules" else " ".join(HEALTHY)
    named = set(re.findall(r"\b(?:tollkeeper|process)_\w+", text))
    assert len(named) > 20 and named <= page
