"""What schemathesis has to know of us: how our scalars look, and what no answer may ever hold.

Refusals are answers; a fault, a broken connection and words from inside are not.
"""

import re

import graphql
import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

INSIDE = re.compile(
    r"panicked|sqlx|postgres|pg_|relation \"|column \"|syntax error|constraint|\.rs\b|::",
    re.IGNORECASE,
)


def as_object(fields):
    names = (graphql.NameNode(value=name) for name in fields)
    return nodes.Object(
        [graphql.ObjectFieldNode(name=name, value=it) for name, it in zip(names, fields.values())]
    )


positions = st.one_of(st.integers(0, 2**63 - 1).map(str), st.text())
times = st.datetimes().map(lambda time: time.isoformat() + "Z")
plain = st.one_of(
    st.just(nodes.Null),
    st.booleans().map(nodes.Boolean),
    st.integers().map(nodes.Int),
    st.text().map(nodes.String),
)
names = st.from_regex("[a-zA-Z]+", fullmatch=True)
documents = st.recursive(
    plain,
    lambda it: st.one_of(st.lists(it).map(nodes.List), st.dictionaries(names, it).map(as_object)),
)
schemathesis.graphql.scalar("Position", positions.map(nodes.String))
schemathesis.graphql.scalar("AsOf", st.one_of(positions, times).map(nodes.String))
schemathesis.graphql.scalar("JSON", documents)


@schemathesis.check
def no_fault(context, response, case):
    assert response.status_code < 500, f"status {response.status_code}"
    for error in response.json().get("errors", []):
        code = error["extensions"]["code"]
        assert code not in {"INTERNAL_ERROR", "OUTCOME_UNKNOWN", "UNAVAILABLE"}, code
        # A client may be told what it has sent itself.
        found = INSIDE.search(error["message"])
        assert not found or found.group() in response.request.body.decode(), error["message"]
