"""Random histories: after each few changes, every kind of question is asked and answered from Python's own sets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from native.world import Node, World
from support import native
from support.process import Throng
from support.site import Site

CHANGES, ASK_EVERY, REACHES = 120, 6, 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_answers_are_those_of_plain_sets(server: Throng, seed: int) -> None:
    world = World(server, seed)
    for step in range(CHANGES):
        world.step()
        if step % ASK_EVERY == 0:
            for _ in range(REACHES):
                check_reach(world)
            check_overlaps(world)
            check_lookup(world)


def test_answers_outlive_the_process(new_site: Callable[[], Site]) -> None:
    """Killed, and killed with its cache deleted: the next server answers the same."""
    site = new_site()
    server = site.serve("--set", "rate_limit.native=off")
    world = World(server, 7)
    for round in range(4):
        for _ in range(15):
            world.step()
        server.kill()
        if round % 2:
            delete_cache(site)
        server = site.serve("--set", "rate_limit.native=off")
        world.server = server
        for _ in range(REACHES):
            check_reach(world)
        check_overlaps(world)
        check_lookup(world)
    assert server.terminate() == 0, server.describe()


def delete_cache(site: Site) -> None:
    """Everything in the folder that is neither database nor key nor lock: a start needs none of it."""
    import shutil

    for path in site.data.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def check_reach(world: World) -> None:
    expression = world.expression(3)
    held = world.held(expression)
    answer = world.ask("/reach", {"expression": expression})
    assert answer["people"] == world.size(held), f"{expression}\n{answer}"
    for operand in answer["operands"]:
        if "audience" in operand:
            assert operand["people"] == world.size(world.held_by(world.nodes[operand["audience"]["id"]])), operand
    named = [operand["audience"]["id"] for operand in answer["operands"] if "audience" in operand]
    assert len(named) == len(set(named)), "each once"
    text = world.text(expression)
    assert world.ask("/reach", {"text": text})["people"] == answer["people"], text


def check_overlaps(world: World) -> None:
    nodes = world.random.sample(list(world.nodes.values()), min(len(world.nodes), world.random.randint(1, 9)))
    sets = [world.held_by(node) for node in nodes]
    names: list[int | str] = [world.random.choice([node.id, node.name]) for node in nodes]
    regions = len(nodes) <= 6
    answer = world.ask("/overlap", {"audiences": names, "regions": regions})
    assert [row["people"] for row in answer["audiences"]] == [world.size(held) for held in sets]
    assert answer["matrix"] == [[world.size(a & b) for b in sets] for a in sets]
    if regions:
        everybody = set().union(*sets)
        expected: dict[tuple[int, ...], set] = {}
        for person in everybody:
            expected.setdefault(tuple(place for place, held in enumerate(sets) if person in held), set()).add(person)
        found = {tuple(region["within"]): region["people"] for region in answer["regions"]}
        assert found == {within: size for within, people in expected.items() if (size := world.size(people))}
        sizes = [region["people"] for region in answer["regions"]]
        assert sizes == sorted(sizes, reverse=True), "the largest first"
    answer = world.ask("/overlap", {"audience": names[0], "against": names})
    assert answer["audience"]["people"] == world.size(sets[0])
    assert [(row["people"], row["overlap"]) for row in answer["against"]] == [(world.size(held), world.size(sets[0] & held)) for held in sets]


def holders(world: World, person: tuple[str, int]) -> list[Node]:
    return [node for node in world.nodes.values() if person in world.held_by(node)]


def check_lookup(world: World) -> None:
    for kind in ("email", "phone"):
        people = [(kind, world.random.randrange(500)) for _ in range(20)]
        answer = world.ask("/people/lookup", {"kind": kind, "values": world.values(people)})
        for person, row in zip(people, answer["people"], strict=True):
            assert row["known"] == (person in world.known), (person, row)
            if not row["known"]:
                assert (row["persons"], row["total"], row["audiences"]) == ([], 0, []), row
                continue
            assert len(row["persons"]) == 1
            assert row["audiences"] == sorted(row["audiences"])
            # The demo's own smart audiences may hold anybody.
            ours = [id for id in row["audiences"] if id in world.nodes]
            assert ours == sorted(node.id for node in holders(world, person)), (person, row)
            assert row["total"] == len(row["audiences"])
        assert sorted({id for row in answer["people"] for id in row["audiences"]}) == [brief["id"] for brief in answer["audiences"]]


def test_a_lookup_is_read_in_pages(server: Throng) -> None:
    world = World(server, 11)
    structure = world.structure_create()
    person = ("email", 1)
    for _ in range(7):
        world.add(world.audience_create(), [person])
    everywhere = sorted(node.id for node in holders(world, person))
    assert structure.id in everywhere
    found: list[int] = []
    while True:
        after = found[-1] if found else 0
        (row,) = world.ask("/people/lookup", {"kind": "email", "values": world.values([person]), "after": after, "limit": 3})["people"]
        assert len(row["audiences"]) <= 3 and row["total"] >= len(everywhere)
        if not row["audiences"]:
            break
        found += row["audiences"]
    assert [id for id in found if id in world.nodes] == everywhere


def test_a_name_that_two_audiences_have_is_refused_with_both(server: Throng) -> None:
    world = World(server, 12)
    ids = []
    for _ in range(2):
        structure = world.structure_create()
        ids.append(native.audience_create(server, structure.id, "twice"))
    with pytest.raises(native.Refused) as refused:
        world.ask("/reach", {"text": "twice"})
    assert 400 <= refused.value.status < 500
    assert all(str(id) in str(refused.value) for id in ids), refused.value
