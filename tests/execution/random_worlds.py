"""Random resolvers for a schema: values and failures of any field, resolvers of types, and the form of the objects."""

from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from tests.execution.answers import (
    ERROR_NAMES,
    Arguments,
    Info,
    Items,
    Later,
    Object,
    Raised,
    Recipe,
    Returned,
    Value,
    read,
)
from tests.execution.choices import Choices
from tests.execution.objects import FORMS, Plan, World

# By type: internal values that it accepts, some of them only after coercion.
VALUES: dict[str, list[Any]] = {
    "Int": [1, -7, 0, True, 3.0, "12"],
    "Float": [1.5, 2, -0.0, True, "2.5"],
    "String": ["text", "", "ö", True, 3, 1.5],
    "Boolean": [True, False, 1, 0],
    "ID": ["id", 5, "", 7.0],
    "Color": [0, 10, 20],
    "Odd": [1, 3, -5],
}
# What no type expects, or only some types do.
OTHERS = [
    0,
    2,
    2**40,
    float("nan"),
    float("inf"),
    "text",
    b"bytes",
    4.5,
    [],
    [1],
    {},
    {"a": 1},
    (),
    Undefined,
    ("text", 1),
]
ITEMS = ["list", "list", "list", "tuple", "values", "generator", "async generator", "stream"]


def make_world(choices: Choices, schema: GraphQLSchema) -> World:
    """Create the plans of all fields, and set the resolvers of the schema to follow them."""
    recipes = _Recipes(choices, schema, failures=choices.of([0, 1, 1, 3]))
    plans: dict[tuple[str, str], Plan] = {}
    world = World(plans, has_typenames=choices.flag())
    for type_ in schema.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                plan = recipes.plan(field.type, has_arguments=bool(field.args), is_mutation=type_.name == "Mutation")
                plans[type_.name, name] = plan
                field.resolve = _resolver(world, type_.name, name) if plan.has_resolver else None
            type_.is_type_of = choices.of([None, None, *_type_checks(type_.name)])
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = choices.of([None, _name_type, _name_type_later, _misname_type])
    return world


class _Recipes:
    """Makes answers; of 30, `failures` of each kind of failure are expected."""

    def __init__(self, choices: Choices, schema: GraphQLSchema, failures: int) -> None:
        self._choices = choices
        self._schema = schema
        kinds = ["good"] * 21 + ["null"] + ["null", "raised", "returned", "other"] * failures
        self._settled = kinds
        self._kinds = kinds + ["later"] * 5

    def plan(self, type_: GraphQLOutputType, *, has_arguments: bool, is_mutation: bool) -> Plan:
        answers = tuple(self._recipe(type_) for _ in range(self._choices.number(1, 3)))
        has_resolver = is_mutation or self._choices.flag()
        return Plan(answers, has_resolver, is_method=has_arguments or self._choices.flag())

    def _recipe(self, type_: GraphQLOutputType, *, is_settled: bool = False) -> Recipe:
        match self._choices.of(self._settled if is_settled else self._kinds):
            case "null":
                return Value(None)
            case "raised":
                return Raised(self._choices.of(ERROR_NAMES))
            case "returned":
                return Returned(self._choices.of(ERROR_NAMES))
            case "other":
                return Value(self._choices.of(OTHERS))
            case "later":
                kind = self._choices.of(["coroutine", "coroutine", "task", "awaitable"])
                return Later(kind, self._choices.number(0, 2), self._recipe(type_, is_settled=True))
        return self._good(get_nullable_type(type_))

    def _good(self, type_: Any) -> Recipe:
        if is_list_type(type_):
            items = tuple(self._recipe(type_.of_type) for _ in range(self._choices.number(0, 3)))
            return Items(self._choices.of(ITEMS), items)
        if is_leaf_type(type_):
            texts = [Arguments(), Info()] if type_.name in {"String", "ID"} else []
            return self._choices.of([*texts, *map(Value, VALUES[type_.name])])
        return Object(self._choices.of(self._possible(type_)), self._choices.of(FORMS))

    def _possible(self, type_: GraphQLNamedType) -> list[str]:
        """Return the types of an object here; at random also one that is wrong."""
        possible = (
            [type_] if isinstance(type_, GraphQLObjectType) else self._schema.get_possible_types(_abstract(type_))
        )
        names = [possible_type.name for possible_type in possible] * 9
        return [*names, "T0"]


def _abstract(type_: GraphQLNamedType) -> GraphQLAbstractType:
    assert isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)
    return type_


def _resolver(world: World, typename: str, name: str) -> Any:
    def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return world.answer(source, typename, name, info, **arguments)

    return resolve


def _type_checks(typename: str) -> list[Any]:
    """Return `is_type_of` functions: right ones, and one that is wrong or raises for some objects."""

    def check(source: Any, _info: GraphQLResolveInfo[Any]) -> bool:
        return bool(read(source, "typename") == typename)

    async def check_later(source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return check(source, info)

    def fail(source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        number = read(source, "number")
        if isinstance(number, int) and number % 5 == 0:
            msg = f"{typename} cannot be checked"
            raise ValueError(msg)
        return (isinstance(number, int) and number % 3 == 0) or check(source, info)

    return [check, check, check_later, fail]


def _name_type(source: Any, _info: GraphQLResolveInfo[Any], _type: GraphQLAbstractType) -> Any:
    return read(source, "typename")


async def _name_type_later(source: Any, info: GraphQLResolveInfo[Any], type_: GraphQLAbstractType) -> Any:
    return _name_type(source, info, type_)


def _misname_type(source: Any, info: GraphQLResolveInfo[Any], type_: GraphQLAbstractType) -> Any:
    """Give a wrong answer, or none, for some objects."""
    number = read(source, "number")
    if number == 1:
        msg = f"{type_.name} cannot be resolved"
        raise ValueError(msg)
    wrong = {2: None, 3: "Missing", 4: "Odd", 5: "Query", 6: 6, 7: type_}
    answer = wrong.get(number % 12) if isinstance(number, int) else None
    return answer if isinstance(number, int) and number % 12 in wrong else _name_type(source, info, type_)
