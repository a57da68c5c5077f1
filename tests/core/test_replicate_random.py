"""Random pushes, deletions and rules in three registries, held against a model that is easy to believe."""

import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.app import Application, build
from ecr_emu.context import Call, root_principal
from ecr_emu.core import after_push, create, delete, push
from ecr_emu.domain import replication, templates
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Rule
from ecr_emu.errors import EcrError
from ecr_emu.settings import Settings
from ecr_emu.store import documents, image_listings, images, layers, repositories
from ecr_emu.store.images import Filter
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from tests.clients import Clock, digest_of, image_manifest

ACCOUNT = "000000000000"
REGIONS = ("eu-west-1", "us-east-1", "us-west-2")
# In this one tags are immutable.
STRICT = "us-west-2"
NAMES = ("prod/a", "dev")
CONFIGS = [b'{"number":%d}' % number for number in range(3)]
MANIFESTS = [image_manifest(config) for config in CONFIGS]
DIGESTS = [digest_of(manifest) for manifest in MANIFESTS]
TAGS = ("v1", "v2", "v3")

# What one registry is: for each repository the images, and the image behind each tag.
Content = dict[str, tuple[set[str], dict[str, str]]]


@dataclass
class Model:
    """The documented behaviour, without a database. A copy that waits has the time of its last push."""

    content: dict[str, Content] = field(default_factory=lambda: {region: {} for region in REGIONS})
    rules: dict[str, list[Rule]] = field(default_factory=lambda: {region: [] for region in REGIONS})
    waiting: dict[tuple[str, str, str, str], tuple[int, list[str]]] = field(default_factory=dict)
    deletions: list[tuple[str, str, str, str]] = field(default_factory=list)
    now: int = 0

    def repository(self, region: str, name: str) -> tuple[set[str], dict[str, str]]:
        return self.content[region].setdefault(name, (set(), {}))

    def push(self, region: str, name: str, digest: str, tag: str | None) -> bool:
        self.now += 1
        held, tags = self.repository(region, name)
        if tag in tags and region == STRICT:
            return False
        is_news = digest not in held or (tag is not None and tags.get(tag) != digest)
        held.add(digest)
        if tag is not None:
            tags[tag] = digest
        if is_news:
            for place in replication.destinations(self.rules[region], name):
                key = (region, name, digest, place.region)
                _, before = self.waiting.get(key, (0, []))
                self.waiting[key] = (self.now, [*before, *([tag] if tag else [])])
        return True

    def delete(self, region: str, name: str, digest: str, tag: str | None) -> None:
        held, tags = self.repository(region, name)
        if digest not in held or (tag is not None and tags.get(tag) != digest):
            return
        if tag is not None and [other for other in tags if tags[other] == digest] != [tag]:
            del tags[tag]
            what = tag
        else:
            self.forget(region, name, digest)
            what = ""
        for place in replication.deletes_at(self.rules[region], name):
            self.deletions.append((place.region, name, digest, what))

    def forget(self, region: str, name: str, digest: str) -> None:
        held, tags = self.repository(region, name)
        held.discard(digest)
        for tag in [tag for tag in tags if tags[tag] == digest]:
            del tags[tag]
        for key in [key for key in self.waiting if key[:3] == (region, name, digest)]:
            del self.waiting[key]

    def run(self) -> None:
        for region in REGIONS:
            self.run_region(region)

    def run_region(self, region: str) -> None:
        for to, name, digest, tag in [one for one in self.deletions if one[0] == region]:
            held, tags = self.content[to].get(name, (set(), {}))
            if digest in held and not tag:
                self.forget(to, name, digest)
            elif tags.get(tag) == digest:
                del tags[tag]
        self.deletions = [one for one in self.deletions if one[0] != region]
        due = [(since, key, tags) for key, (since, tags) in self.waiting.items() if key[3] == region]
        for _, key, pushed in sorted(due):
            source, name, digest, _ = key
            del self.waiting[key]
            held, tags = self.repository(region, name)
            held.add(digest)
            for tag in pushed:
                is_taken = region == STRICT and tags.get(tag, digest) != digest
                if self.repository(source, name)[1].get(tag) == digest and not is_taken:
                    tags[tag] = digest


@dataclass
class Real:
    """The same on an emulator."""

    application: Application
    clock: Clock

    def call(self, region: str) -> Call:
        emulator = self.application.emulator
        return Call(emulator, root_principal(ACCOUNT), Registry(ACCOUNT, region), "", emulator.clock())

    def repository(self, region: str, name: str) -> Repository:
        call = self.call(region)
        with call.store.write() as transaction:
            found = repositories.find(transaction, call.registry, name)
            template = templates.DEFAULTS
            if region == STRICT:
                template = replace(template, tag_mutability="IMMUTABLE")
            return found or create.by_template(
                transaction, template, call.registry, name, call.now, call.emulator.settings
            )

    def configure(self, region: str, rules: list[Rule]) -> None:
        call = self.call(region)
        with call.store.write() as transaction:
            text = replication.write(rules)
            documents.put(transaction, call.registry, after_push.REPLICATION, "", text, call.now)

    def push(self, region: str, name: str, number: int, tag: str | None) -> bool:
        self.clock.advance(1)
        call, repository = self.call(region), self.repository(region, name)
        config = CONFIGS[number]
        with call.store.write() as transaction:
            layers.put_blob(transaction, Blob(digest_of(config), "x", len(config)))
            layers.add(transaction, repository, digest_of(config), call.now)
        try:
            push.put_image(call, repository, MANIFESTS[number], None, None, [tag] if tag else [])
        except EcrError as error:
            if error.code != "ImageTagAlreadyExistsException":
                raise
            return False
        return True

    def delete(self, region: str, name: str, digest: str, tag: str | None) -> None:
        call, repository = self.call(region), self.repository(region, name)
        with call.store.write() as transaction:
            image = images.find(transaction, repository, digest)
            if image is None or (tag is not None and tag not in image.tags):
                return
            if tag is None:
                delete.delete_image(transaction, repository, image, call.now)
            else:
                delete.delete_tag(transaction, repository, image, tag, call.now)

    def run(self) -> None:
        self.application.runner.run_due()

    def content(self, region: str) -> Content:
        call = self.call(region)
        found: Content = {}
        with call.store.read() as connection:
            for repository in repositories.page(connection, call.registry, "", 100):
                held = image_listings.page(connection, repository, Filter(call.now), 0, 100)
                tags = {tag: image.digest for image in held for tag in image.tags}
                found[repository.name] = ({image.digest for image in held}, tags)
        return found


def rules(region: str) -> st.SearchStrategy[list[Rule]]:
    others = [Registry(ACCOUNT, other) for other in REGIONS if other != region]
    places = st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True).map(tuple)
    prefixes = st.sampled_from([None, None, ("prod",), ("prod-",), ("de", "prod/")])
    rule = st.builds(Rule, places, prefixes, st.sampled_from([None, True, True]))
    return st.lists(rule, max_size=2)


REGION, NAME = st.sampled_from(REGIONS), st.sampled_from(NAMES)
NUMBER, TAG = st.integers(0, len(CONFIGS) - 1), st.sampled_from([None, *TAGS, *TAGS])
STEP = st.one_of(
    st.tuples(st.just("push"), REGION, NAME, NUMBER, TAG),
    st.tuples(st.just("push"), REGION, NAME, NUMBER, TAG),
    st.tuples(st.just("delete"), REGION, NAME, NUMBER, TAG),
    st.tuples(st.just("run")),
    REGION.flatmap(lambda region: st.tuples(st.just("rules"), st.just(region), rules(region))),
)


def do(model: Model, real: Real, step: tuple[Any, ...]) -> None:
    match step:
        case ("push", region, name, number, tag):
            # The repository is there even if the push is refused.
            assert real.push(region, name, number, tag) == model.push(region, name, DIGESTS[number], tag)
        case ("delete", region, name, number, tag):
            real.delete(region, name, DIGESTS[number], tag)
            model.delete(region, name, DIGESTS[number], tag)
        case ("rules", region, found):
            real.configure(region, found)
            model.rules[region] = found
        case _:
            real.run()
            model.run()


@settings(max_examples=100)
@given(st.tuples(*(rules(region) for region in REGIONS)), st.lists(STEP, max_size=40))
def test_copies_are_what_the_model_says(first: tuple[list[Rule], ...], steps: list[tuple[Any, ...]]) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        application = build(Settings(data_dir=Path(folder), ephemeral=True), clock)
        with closing(application):
            model, real = Model(), Real(application, clock)
            for step in [
                # A copy into the strict registry makes a repository that is strict too.
                *(("rules", region, found) for region, found in zip(REGIONS, first, strict=True)),
                *steps,
                ("run",),
                ("run",),
            ]:
                if step[0] == "run":
                    _make_strict(model, real)
                do(model, real, step)
            for region in REGIONS:
                assert real.content(region) == model.content[region]


def _make_strict(model: Model, real: Real) -> None:
    """Repositories of the strict registry are there before anything arrives."""
    for name in NAMES:
        real.repository(STRICT, name)
        model.repository(STRICT, name)
