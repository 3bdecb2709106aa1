#!/usr/bin/env python3
"""Draws what bench/sets.py measured (`--write FILE`): cost against the number of people, both axes logarithmic, as SVG; or with
--table as the Markdown tables of docs/benchmarks.md, with ratios to Throng.

Where a row was measured several times, the last one counts.
"""

import argparse
import json
import math

# Peers only: Throng has one way, and is drawn beside them.
ROWS = "overlap of two audiences of 5 %, as rows"
QUESTIONS = [
    "overlap of two audiences of 50 %",
    "overlap of two audiences of 5 %",
    "expression of 10 operands",
    "matrix of 50 audiences",
    "one audience of 5 % against 100 of 5 %",
    ROWS,
]
COLOURS = {"Throng": "#c1121f", "Redis": "#457b9d", "PostgreSQL": "#2a9d8f", "ClickHouse": "#e9a03b", "DuckDB": "#7b5ea7"}
WIDTH, HEIGHT, LEFT, TOP = 330, 250, 62, 40
ACROSS = 3


def read(path):
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows[row["part"], row["what"], row["who"], row["people"]] = row
    return list(rows.values())


def colour(who):
    return next((value for name, value in COLOURS.items() if who.startswith(name)), "#555")


def panel(rows, question, at):
    """One question: a line for each who answered it."""
    chosen = [row for row in rows if row["what"] == question]
    if question == ROWS:
        chosen += [row for row in rows if row["what"] == ROWS.removesuffix(", as rows") and row["who"] == "Throng"]
    if not chosen:
        return ""
    people = sorted({row["people"] for row in rows if row["part"] == "questions"})
    low_x, high_x = math.log10(people[0]), math.log10(people[-1])
    values = [row["value"] for row in chosen]
    low_y, high_y = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high_y = max(high_y, low_y + 1)
    left, top = LEFT + at % ACROSS * (WIDTH + LEFT), TOP + at // ACROSS * (HEIGHT + 115)

    def x(value):
        return left + (math.log10(value) - low_x) / max(high_x - low_x, 1e-9) * WIDTH

    def y(value):
        return top + HEIGHT - (math.log10(value) - low_y) / (high_y - low_y) * HEIGHT

    out = [f'<text x="{left}" y="{top - 12}" class="title">{question}, ms</text>']
    for power in range(low_y, high_y + 1):
        out.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y(10**power):.1f}" y2="{y(10**power):.1f}" class="grid"/>')
        out.append(f'<text x="{left - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for value in people:
        out.append(f'<text x="{x(value):.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">{value / 1e6:g} M</text>')
    for line, who in enumerate(sorted({row["who"] for row in chosen}, key=lambda who: (who != "Throng", who))):
        points = sorted((row["people"], row["value"]) for row in chosen if row["who"] == who)
        path = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in points)
        width = 3 if who == "Throng" else 1.6
        dash = ' stroke-dasharray="5 4"' if "rows" in who or "SINTER" in who else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour(who)}" stroke-width="{width}"{dash}/>')
        out += [f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3.2" fill="{colour(who)}"/>' for size, value in points]
        place = left + line % 2 * (WIDTH / 2), top + HEIGHT + 34 + line // 2 * 15
        out.append(f'<text x="{place[0]:.0f}" y="{place[1]}" style="fill:{colour(who)}">{who}</text>')
    return "\n".join(out)


def plot(rows):
    shown = [question for question in QUESTIONS if any(row["what"] == question for row in rows)]
    panels = "\n".join(panel(rows, question, at) for at, question in enumerate(shown))
    width, height = ACROSS * (WIDTH + LEFT) + 20, -(-len(shown) // ACROSS) * (HEIGHT + 115) + TOP
    style = "text{font:11px sans-serif;fill:#333}.title{font-weight:bold;font-size:13px}.grid{stroke:#ddd}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f'<style>{style}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n{panels}\n</svg>\n'
    )


def figure(value):
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def tables(rows):
    out = []
    for part in dict.fromkeys(row["part"] for row in rows):
        out += [
            f"### {part}",
            "",
            "| work | people or keys | who | measured | times Throng's | target | |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in (row for row in rows if row["part"] == part):
            own = [
                other
                for other in rows
                if other["who"] == "Throng"
                and (other["part"], other["what"], other["unit"]) == (part, row["what"], row["unit"])
            ]
            own = [other for other in own if other["people"] == row["people"]] or (own if part == "ingest" else [])
            ratio = f"{row['value'] / own[0]['value']:.2g}" if own and row["who"] != "Throng" else ""
            goal = "" if row["target"] is None else f"{row['target']:g} {row['unit']}"
            out.append(
                f"| {row['what']} | {row['people']:,} | {row['who']} | {figure(row['value'])} {row['unit']} | {ratio} | {goal} | {row['note']} |"
            )
        out.append("")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", help="what bench/sets.py --write wrote")
    parser.add_argument("svg", nargs="?", help="where the plot goes, such as docs/benchmarks-sets.svg")
    parser.add_argument("--table", action="store_true", help="print the tables")
    arguments = parser.parse_args()
    rows = read(arguments.rows)
    if arguments.svg:
        with open(arguments.svg, "w", encoding="utf-8") as out:
            out.write(plot(rows))
    if arguments.table:
        print(tables(rows))


if __name__ == "__main__":
    main()
