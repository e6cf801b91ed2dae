"""Where the functions of a C++ file begin and end, by its braces.

No parser: a brace opens a function if what stands before it since the last statement looks like
one, and everything up to the brace that closes it (lambdas, local types, loops) belongs to it.
"""

import re

_SCOPE = re.compile(
    r"^(?:template\s*<.*>\s*)?(?:inline\s+)?(?:namespace|class|struct|union|enum|extern)\b"
)
_LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(?:<[^<>]*>\s*)?(?:\(\)|$)")


def _without_parentheses(head):
    """The head with what its parentheses hold taken out, so that only its own level is left."""
    before = None
    while before != head:
        before = head
        head = re.sub(r"\([^()]+\)", "()", head)
    return head


def _opens_function(head):
    head = " ".join(head.split())
    flat = _without_parentheses(head)
    if "(" not in flat or _SCOPE.match(head) and not re.search(r"\)\s*(?:const|noexcept)?$", flat):
        return False
    plain = re.sub(r"operator\s*[=<>!+\-*/%&|^]+", "operator", flat)
    if re.search(r"(?<![=<>!])=(?!=)", plain):
        return bool(_LAMBDA.search(plain))
    return not flat.endswith(("(", ","))


def cpp_functions(source):
    """[(first line, last line)] of the functions of a Source, outermost ones only."""
    code = source.code()
    spans = []
    depth = 0
    function_depth = None
    head_start = 0
    for match in re.finditer(r"[{};]", code):
        mark, at = match.group(), match.start()
        if mark == "{":
            head = code[head_start:at]
            if function_depth is None and _opens_function(head):
                function_depth = depth
                begin = head_start + len(head) - len(head.lstrip())
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == function_depth:
                spans.append((source.line_of(begin), source.line_of(at)))
                function_depth = None
        head_start = at + 1
    return spans
