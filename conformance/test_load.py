"""The load of conformance/load for twenty seconds: too short for figures, long enough to be wrong."""

import json

from conformance.load import report
from conformance.load.run import run


def test_a_short_load_with_all_its_troubles() -> None:
    result = run(seconds=20, clients=64, rest_seconds=3, tell=lambda text: None)
    assert report.judge(result) == []
    seen = json.loads(report.as_json(result))
    assert seen["requests"] > 500
    assert seen["cutUploads"] > 0
    assert [one["name"] for one in seen["troubles"]].count("restart") == 1
    assert report.curve(result).startswith("<svg")
