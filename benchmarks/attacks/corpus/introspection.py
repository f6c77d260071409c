"""Attacks by introspection, which no price protects."""

from benchmarks.attacks.attack import DATA, INVALID, TOO_LARGE, Attack, aliased, graphql, nested

ANY = DATA | TOO_LARGE | INVALID
ALL_FIELDS = f"__schema{{types{{fields{{type{{{nested(8, 'ofType{', '}', 'name')}}}}}}}}}"
FIELDS_OF_QUERY = '__type(name:"Query"){' + nested(2, "fields{type{", "}}", "name") + "}"
UNKNOWN_TYPE = '__type(name:"' + "a" * 10_000 + '"){name}'

ATTACKS = (
    Attack(
        "introspection-01",
        "All types with all arguments under 110 aliases.",
        TOO_LARGE | INVALID,
        lambda _: graphql(f"{{__schema{{{aliased(110, 'types{fields{args{type{ofType{name}}}}}')}}}}}"),
    ),
    Attack(
        "introspection-02",
        "The fields of the types of the fields, five levels deep.",
        TOO_LARGE | INVALID,
        lambda _: graphql(f"{{__schema{{types{{{nested(5, 'fields{type{', '}}', 'name')}}}}}}}"),
    ),
    Attack(
        "introspection-03",
        "The whole schema under 20 aliases of the root.",
        TOO_LARGE | INVALID,
        lambda _: graphql(f"{{{aliased(20, ALL_FIELDS)}}}"),
    ),
    Attack(
        "introspection-04",
        "One type under 20 aliases with its fields three levels deep.",
        ANY,
        lambda _: graphql(f"{{{aliased(20, FIELDS_OF_QUERY)}}}"),
    ),
    Attack(
        "introspection-05",
        "Possible types of interfaces, back and forth.",
        ANY,
        lambda _: graphql(f"{{__schema{{types{{{nested(6, 'possibleTypes{interfaces{', '}}', 'name')}}}}}}}"),
    ),
    Attack(
        "introspection-06",
        "Interfaces and possible types, doubled at each level by aliases.",
        ANY,
        lambda _: graphql(
            "{__schema{types{" + nested(4, "a:interfaces{possibleTypes{", "}}", "name b:interfaces{name}") + "}}}"
        ),
    ),
    Attack(
        "introspection-07",
        "Descriptions of all fields under 28 aliases.",
        TOO_LARGE | DATA,
        lambda _: graphql(f"{{__schema{{{aliased(28, 'types{description fields{description args{description}}}')}}}}}"),
    ),
    Attack(
        "introspection-08",
        "Introspection through a fragment that is spread 60 times under its own names.",
        TOO_LARGE | DATA | INVALID,
        lambda _: graphql(
            f"{{__schema{{{aliased(60, 'types{...T}')}}}}} fragment T on __Type{{fields{{args{{type{{name}}}}}}}}"
        ),
    ),
    Attack(
        "introspection-09",
        "Names of types that do not exist, under 20 aliases of 10 KB.",
        DATA | TOO_LARGE | INVALID,
        lambda _: graphql(f"{{{aliased(20, UNKNOWN_TYPE)}}}"),
    ),
    Attack(
        "introspection-10",
        "An alias of 60 KB for the name of each field.",
        TOO_LARGE,
        lambda _: graphql(f"{{__schema{{types{{fields{{{'a' * 60_000}:name}}}}}}}}"),
    ),
)
