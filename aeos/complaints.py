"""Hydra's and OmegaConf's errors in one line that names the key and says what to do."""

from __future__ import annotations

import dataclasses
import re
import traceback

from hydra.errors import OverrideParseException

from aeos import schema
from aeos.errors import BadInput, suggest
from aeos.paths import OWN, groups

#: Which extra of ours brings a launcher of Hydra's.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}


def one_line(error: Exception, job: str) -> Exception:
    """The error as BadInput where it is the user's to mend; any other error as it is."""
    if isinstance(error, BadInput):
        return error
    if str(error).startswith("Config group override must be"):
        return BadInput("a config group takes the name of a choice, as in optimizer=adam (`aeos list` shows them)")
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    origins = {type(error).__module__.split(".")[0], str(last.f_globals.get("__name__")).split(".")[0]}
    if not origins & {"hydra", "omegaconf"}:
        return error
    text, cause = str(error), str(error.__cause__ or "").split("\n")[0]
    command = f"aeos {job.replace('_', '-')}"
    if found := re.match(r"Could not delete[^']*'([^']+)'", text):
        if found[1] in settings():
            return BadInput(f"~{found[1]}: every choice needs its settings; give it another value instead")
        return BadInput(_unknown_key(found[1], command, text))
    if found := re.match(r"Could not (?:override|append to config)[^']*'([^']+)'", text):
        return BadInput(_unknown_key(found[1], command, text))
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        return BadInput(_unknown_choice(found[1], found[2]))
    if found := re.match(r"Error merging override (.+)", text):
        return BadInput(f"{found[1]}: {cause}")
    if isinstance(error, OverrideParseException):
        lines = [line for line in text.split("\n") if not line.startswith(("Error parsing", "See "))]
        return BadInput(f"{error.override}: not of the form key=value ({' '.join(lines)})")
    if found := re.match(r"Cannot find primary config '([^']+)'", text):
        return BadInput(f"-cn {found[1]}: no such config in aeos or in the folder that -cd names")
    return BadInput("; ".join(line.strip() for line in [*text.split("\n"), cause] if line.strip()))


def settings() -> set[str]:
    """Every setting of every choice, as written in an override."""
    names = set()
    for field in (field for node in schema.JOBS.values() for field in dataclasses.fields(node)):
        names.add(field.name)
        if dataclasses.is_dataclass(inner := field.default_factory):
            names |= {f"{field.name}.{part.name}" for part in dataclasses.fields(inner)}
    for group, nodes in schema.GROUPS.items():
        names |= {f"{group}.{field.name}" for node in nodes for field in dataclasses.fields(node)}
    return names


def _unknown_key(key: str, command: str, text: str) -> str:
    if key in ("data", "model"):
        return f"{key}: this problem has none; {key}=… goes with problem=network"
    if key in OWN:
        return f"{key}: {command} has none; it goes with aeos {OWN[key].replace('_', '-')}"
    if key in schema.GROUPS:
        return f"{key}: {' '.join(text.split())}"
    known = settings()
    inside = {name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]} - {key}
    hint = f"; did you mean {sorted(inside)[0]}?" if inside and "." not in key else suggest(key, known - {key})
    if key in known:
        hint = ": the choice made here does not have it"
    return f"{key}: no such setting{hint} (`{command} --cfg job` prints them all)"


def _unknown_choice(group: str, name: str) -> str:
    if group == "hydra/launcher" and name in EXTRAS:
        return f'launch={EXTRAS[name]}: not installed: pip install "aeos[{EXTRAS[name]}]"'
    if group.startswith("hydra/"):
        return f"{group}={name}: not installed: pip install hydra-{name.replace('_', '-')}-{group.rpartition('/')[2]}"
    choices = groups().get(group, [])
    return f"{group}={name}: no such choice{suggest(name, choices)}; there are {', '.join(choices)}"
