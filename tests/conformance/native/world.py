"""Structures, audiences and people as plain Python sets, and the questions of the native API answered from them.

People that the demo brought along are not known one by one: they are in none of this world's audiences, so an expression
holds all of them or none, told apart by whether they have an e-mail address.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from support import native
from support.process import Throng

# Somebody is a kind of identifier and a number; a stranger is a class of the demo's people.
Person = tuple[str, int]
WITH_EMAIL, WITHOUT_EMAIL = ("stranger", 0), ("stranger", 1)
Expression = dict[str, Any]


@dataclass
class Node:
    """A structure, a manual audience (with a structure) or a smart one (with a rule too)."""

    id: int
    name: str
    structure: int | None = None
    members: set[Person] = field(default_factory=set)
    rule: Expression | None = None


class World:
    def __init__(self, server: Throng, seed: int) -> None:
        self.server, self.random = server, random.Random(seed)
        self.seed, self.prefix = seed, f"w{seed}"
        self.nodes: dict[int, Node] = {}
        self.known: set[Person] = set()
        self.names = itertools.count()
        self.seq = 0
        self.everybody_else = self.ask("/reach", {"expression": {"all": []}})["people"]
        self.others_with_email = self.ask("/reach", {"expression": {"identifier": "email"}})["people"]

    # What the server is asked and told.

    def ask(self, path: str, body: dict[str, Any], server: Throng | None = None) -> dict[str, Any]:
        """A question; whatever it is, it speaks for no moment before the last one."""
        answer = native.call(server or self.server, "POST", path, body)
        assert answer["seq"] >= self.seq, f"the log went back from {self.seq} to {answer['seq']}"
        self.seq = answer["seq"]
        return answer

    def values(self, people: Iterable[Person]) -> list[str]:
        """Identifiers as callers send them: addresses in any letter case or hashed, numbers with and without signs."""
        found = []
        for kind, number in people:
            if kind == "email":
                address = f"{self.prefix}.{number}@example.org"
                forms = [address, address.upper(), hashlib.sha256(address.encode()).hexdigest(), f"  {address}"]
            else:
                forms = [f"+49{self.seed:03}{number:07}", f"+49 ({self.seed:03}) {number:07}"]
            found.append(self.random.choice(forms))
        return found

    def tell(self, node: Node, verb: str, people: Sequence[Person]) -> None:
        for kind in ("email", "phone"):
            some = [person for person in people if person[0] == kind]
            if some:
                native.call(self.server, "POST", f"/audiences/{node.id}/members/{verb}", {"kind": kind, "values": self.values(some)})

    def new_name(self) -> str:
        number = next(self.names)
        return self.random.choice([f"{self.prefix} no {number}", f"{self.prefix}-{number}", f'{self.prefix} "quoted" {number}', f"{self.prefix} müller & söhne {number}", f"not {self.prefix} or {number}"])

    # What happens.

    def manual(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.rule is None]

    def structures(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.structure is None]

    def structure_create(self) -> Node:
        name = self.new_name()
        node = Node(native.call(self.server, "POST", "/structures", {"name": name})["id"], name)
        self.nodes[node.id] = node
        return node

    def audience_create(self, rule: Expression | None = None) -> Node:
        structure, name = self.random.choice(self.structures()), self.new_name()
        body = {"structure": structure.id, "name": name} | ({"rule": rule} if rule else {})
        node = Node(native.call(self.server, "POST", "/audiences", body)["id"], name, structure.id, rule=rule)
        self.nodes[node.id] = node
        return node

    def people(self, count: int) -> list[Person]:
        return [(self.random.choice(["email", "email", "email", "phone"]), self.random.randrange(400)) for _ in range(count)]

    def add(self, node: Node, people: Sequence[Person]) -> None:
        self.tell(node, "add", people)
        node.members |= set(people)
        self.known |= set(people)

    def remove(self, node: Node, people: Sequence[Person]) -> None:
        """Who is removed from a structure is removed from its audiences too. Nobody is made."""
        self.tell(node, "remove", people)
        for other in [node, *(self.children(node) if node.structure is None else [])]:
            other.members -= set(people)

    def step(self) -> None:
        """One change of any kind."""
        manual = [node for node in self.manual() if node.structure is not None]
        what = self.random.random()
        if what < 0.08 or not self.nodes:
            self.structure_create()
        elif what < 0.25 or not manual:
            self.audience_create()
        elif what < 0.33:
            self.audience_create(self.rule(2))
        elif what < 0.65:
            self.add(self.random.choice(self.manual()), self.people(self.random.choice([1, 5, 60, 250])))
        elif what < 0.82:
            self.remove(self.random.choice(self.manual()), self.people(self.random.choice([1, 30, 200])))
        elif what < 0.87:
            node, people = self.random.choice(manual), [("email", number) for number in self.random.sample(range(400), 40)]
            self.tell(node, "replace", people)
            node.members, self.known = set(people), self.known | set(people)
        elif what < 0.90:
            node = self.random.choice(manual)
            native.call(self.server, "POST", f"/audiences/{node.id}/members/empty")
            node.members = set()
        elif what < 0.95:
            node, structure = self.random.choice(manual), self.random.choice(self.structures())
            native.call(self.server, "PATCH", f"/audiences/{node.id}", {"parent": structure.id})
            node.structure = structure.id
        else:
            node = self.random.choice(manual)
            native.call(self.server, "DELETE", f"/audiences/{node.id}")
            # A rule may go on naming it: nobody is in it.
            del self.nodes[node.id]

    # What is so.

    def children(self, structure: Node) -> list[Node]:
        return [node for node in self.nodes.values() if node.structure == structure.id and node.rule is None]

    def everybody(self) -> set[Person]:
        return self.known | {WITH_EMAIL, WITHOUT_EMAIL}

    def held(self, expression: Expression) -> set[Person]:
        ((word, value),) = expression.items()
        match word:
            case "all":
                return set.intersection(self.everybody(), *map(self.held, value))
            case "any":
                return set().union(*map(self.held, value))
            case "not":
                return self.everybody() - self.held(value)
            case "identifier":
                return {person for person in self.known if person[0] == value} | ({WITH_EMAIL} if value == "email" else set())
            case "audience":
                found = [node for node in self.nodes.values() if value in (node.id, node.name)]
                return self.held_by(found[0]) if found else set()
        raise AssertionError(f"no expression: {expression}")

    def held_by(self, node: Node) -> set[Person]:
        if node.rule is not None:
            return self.held(node.rule)
        return set().union(node.members, *(child.members for child in self.children(node))) if node.structure is None else node.members

    def size(self, people: set[Person]) -> int:
        strangers = {WITH_EMAIL: self.others_with_email, WITHOUT_EMAIL: self.everybody_else - self.others_with_email}
        return sum(strangers.get(person, 1) for person in people)

    # Expressions.

    def rule(self, depth: int) -> Expression:
        """Of a smart audience: of structures and manual audiences by their ids."""
        return self.expression(depth, self.manual(), by_id=True, kinds=False)

    def expression(self, depth: int, nodes: Sequence[Node] | None = None, *, by_id: bool = False, kinds: bool = True) -> Expression:
        some = list(nodes if nodes is not None else self.nodes.values())
        choice = self.random.random()
        if depth == 0 or choice < 0.25:
            if kinds and choice < 0.04:
                return {"identifier": "email"}
            node = self.random.choice(some)
            return {"audience": node.id if by_id or self.random.random() < 0.5 else node.name}
        part = lambda: self.expression(depth - 1, some, by_id=by_id, kinds=kinds)  # noqa: E731
        if choice < 0.4:
            return {"not": part()}
        return {self.random.choice(["all", "any"]): [part() for _ in range(self.random.choice([1, 2, 2, 3, 5]))]}

    def text(self, expression: Expression) -> str:
        """As people would write it; `and` binds before `or`."""
        ((word, value),) = expression.items()
        match word:
            case "identifier":
                return f"has:{value}"
            case "audience":
                # A quote in a name is written twice.
                return f"#{value}" if isinstance(value, int) else '"' + value.replace('"', '""') + '"'
            case "not":
                return "not " + self.bracketed(value, {"all", "any"})
            case "all":
                return " and ".join(self.bracketed(part, {"any"}) for part in value)
            case "any":
                return " or ".join(map(self.text, value))
        raise AssertionError(f"no expression: {expression}")

    def bracketed(self, expression: Expression, words: set[str]) -> str:
        text = self.text(expression)
        (word,) = expression
        return f"({text})" if word in words or self.random.random() < 0.1 else text
