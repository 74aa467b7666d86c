"""`aeos points`: the commands of a sweep's shards, for a scheduler that aeos does not know."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from aeos import schema
from aeos.complaints import one_line
from aeos.errors import BadInput
from aeos.launch.compose import composing
from aeos.launch.words import in_order, sorted_out

SHARDED = "sweep-stability"


def commands(job: str, words: Sequence[str], shards: int) -> list[str]:
    """One command line a shard, quoted for a shell.

    Raises BadInput for a job that has no shards, and for words that the job would refuse before it looks at data.
    """
    if job != SHARDED:
        raise BadInput(f"points {job}: only {SHARDED} has shards")
    options, overrides = in_order("sweep_stability", words)
    if options:
        raise BadInput(f"{options[0]}: each line of `aeos points` is one plain run; leave it out")
    for word in overrides:
        if word.lstrip("+").partition("=")[0] in ("shards", "shard"):
            raise BadInput(f"{word}: that is for --shards to say")
    told = [[*overrides, f"shards={shards}", f"shard={shard}"] for shard in range(shards)]
    if not told:
        raise BadInput(f"--shards {shards}: must be a whole number >= 1")
    from aeos.jobs.sweep.points import points

    schema.register()
    try:
        with composing("sweep_stability", [], sorted_out(overrides)[0]) as compose:
            config = compose(sorted_out(told[0])[1])
        schema.validate(config)
        points(config)
    except Exception as error:
        raise one_line(error, "sweep_stability") from error
    return [shlex.join(["aeos", SHARDED, *each]) for each in told]
