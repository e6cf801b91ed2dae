"""Every promise holds while processes, links and clients of a fleet come to harm."""

import pytest

import fleet_run


@pytest.mark.parametrize("profile", fleet_run.PROFILES)
def test_promises_hold_while_harm_comes_to(profile):
    seed = fleet_run.drawn_seed()
    print(f"TOLL_SEED={seed}")
    with fleet_run.FleetRun(seed, profile, tell=print) as run:
        run.round()
    assert set(run.fired) == {kind.name() for kind in fleet_run.PROFILES[profile].kinds}
