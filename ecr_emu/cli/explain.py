"""`ecr-emu lifecycle explain`: what a lifecycle policy would do, and why, before anything does it."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from ecr_emu.cli import explain_tables as show
from ecr_emu.cli import image_sources, lifecycle_policies, options, progress, tables
from ecr_emu.cli.image_sources import Stock
from ecr_emu.domain import durations, rehearsal, timestamps
from ecr_emu.domain.lifecycle import Decision, Rule, evaluate, timeline
from ecr_emu.domain.registries import Registry

# 1 is any error, 2 is click's for wrong usage.
EXIT_PROTECTED = 3


@dataclass(frozen=True, slots=True)
class Question:
    """The images, and how an answer shall look."""

    stock: Stock
    counts_children: bool
    output: str
    shows_all: bool

    def decisions(self, rules: tuple[Rule, ...]) -> tuple[Decision, ...]:
        with progress.waiting(f"evaluating {len(self.stock.images):,} images"):
            return evaluate(
                self.stock.images, rules, self.stock.now, counts_children=self.counts_children
            ).decisions

    def print(self, members: dict[str, Any], *lines: str) -> None:
        """Print an answer: as an object for scripts, as lines for people."""
        if self.output == "json":
            click.echo(json.dumps({"at": timestamps.text(self.stock.now), **members}, indent=2))
        else:
            click.echo("\n".join(lines))


@click.command()
@click.argument("policy", metavar="POLICY.json")
@click.option("--repository", help="The repository whose images are meant.")
@click.option("--images", help="Take the images from this file: describe-images JSON, or records.")
@click.option("--endpoint-url", help="Take the images from this server, not from the data folder.")
@click.option("--against", metavar="OLD.json", help="Show only what differs from this policy.")
@click.option("--timeline", "period", metavar="90d", help="Show what would go when, in so much time.")
@click.option("--at", metavar="TIME", help="Evaluate at this time: 2027-01-01T00:00:00Z. Default: now.")
@click.option(
    "--protect", multiple=True, metavar="GLOB", help="Exit with 3 if an image with such a tag would go."
)
@click.option("--all", "shows_all", is_flag=True, help="Show all images that stay.")
@options.lifecycle_children
@options.data_dir
@options.account
@options.region
@options.output
@click.pass_context
def explain(context: click.Context, /, **given: Any) -> None:
    """Say what a lifecycle policy would do to the images of a repository, and why. Nothing is changed.

    POLICY.json is a policy, or what `aws ecr get-lifecycle-policy` prints.
    """
    if given["against"] and given["period"]:
        raise options.failure("give --against or --timeline, not both")
    rules = lifecycle_policies.load(given["policy"])
    old = lifecycle_policies.load(given["against"]) if given["against"] else None
    seconds = _parsed(durations.seconds, "--timeline", given["period"])
    with progress.waiting("reading the images"):
        stock = _stock(context, given)
    question = Question(stock, given["lifecycle_children"] == "counted", given["output"], given["shows_all"])
    if old is not None:
        decisions = _compare(question, old, rules)
    elif seconds is not None:
        decisions = _foresee(question, rules, seconds)
    else:
        decisions = _explain(question, rules)
    if broken := rehearsal.broken_promises(decisions, given["protect"]):
        click.echo(show.promises_line(broken), err=True)
        sys.exit(EXIT_PROTECTED)


def _explain(question: Question, rules: tuple[Rule, ...]) -> list[Decision]:
    decisions = question.decisions(rules)
    found = rehearsal.summary(decisions)
    question.print(
        {
            "images": [show.decision_object(decision) for decision in decisions],
            "summary": show.summary_object(found),
        },
        show.decisions_table(decisions, shows_all=question.shows_all),
        show.summary_line(found),
    )
    return list(decisions)


def _compare(question: Question, old: tuple[Rule, ...], new: tuple[Rule, ...]) -> list[Decision]:
    """What the new policy does; printed is where that differs from the old one."""
    before, after = question.decisions(old), question.decisions(new)
    changes = rehearsal.changes(before, after)
    summaries = {"old": rehearsal.summary(before), "new": rehearsal.summary(after)}
    question.print(
        {
            "changes": [show.change_object(change) for change in changes],
            "summary": {name: show.summary_object(found) for name, found in summaries.items()},
        },
        *([show.changes_table(changes)] if changes else []),
        f"{len(changes):,} of {len(after):,} images are treated otherwise",
        *(f"{name}: {show.summary_line(found)}" for name, found in summaries.items()),
    )
    return list(after)


def _foresee(question: Question, rules: tuple[Rule, ...], seconds: float) -> list[Decision]:
    """What goes in some time, if nobody pushes or pulls."""
    images, now = question.stock.images, question.stock.now
    end = min(now + seconds, timestamps.MAX_SECONDS)
    events = list(timeline(images, rules, now, end, counts_children=question.counts_children))
    expired = [decision for _, decision in events if decision.action == rehearsal.EXPIRE]
    archived = len(events) - len(expired)
    size_bytes = sum(decision.image.size_bytes for decision in expired)
    question.print(
        {
            "until": timestamps.text(end),
            "events": show.event_objects(events),
            "summary": {
                "imageCount": len(images),
                "expiredCount": len(expired),
                "expiredBytes": size_bytes,
                "archivedCount": archived,
            },
        },
        *([show.events_table(events)] if events else []),
        f"until {timestamps.text(end)} {len(expired):,} of {len(images):,} images expire "
        f"({tables.size(size_bytes)}) and {archived:,} are archived, if nobody pushes or pulls",
    )
    return [decision for _, decision in events]


def _stock(context: click.Context, given: dict[str, Any]) -> Stock:
    """The images, from where they are meant to be taken."""
    at = _parsed(timestamps.parse, "--at", given["at"])
    registry, name = Registry(given["account"], given["region"]), given["repository"]
    if given["images"] and given["endpoint_url"]:
        raise options.failure("give --images or --endpoint-url, not both")
    if given["images"]:
        return image_sources.of_file(given["images"], registry, name, at)
    if name is None:
        raise options.failure("say which images are meant, with --repository or --images")
    if given["endpoint_url"]:
        # A server has defaults of its own.
        said = {
            member: given[option]
            for member, option in (("registryId", "account"), ("region", "region"))
            if context.get_parameter_source(option) is not ParameterSource.DEFAULT
        }
        return image_sources.of_server(given["endpoint_url"], {"repositoryName": name, **said}, at)
    return image_sources.of_folder(options.existing_data_dir(given["data_dir"]), registry, name, at)


def _parsed(parse: Any, option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(parse(text))
    except ValueError as problem:
        raise options.failure(f"{option}: {problem}") from None
