"""Where the shipped configs live: aeos/conf in a wheel, ../conf in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> Path:
    """The folder that holds train.yaml and the config groups. Raises FileNotFoundError on a broken installation."""
    for candidate in (PACKAGE / "conf", PACKAGE.parent / "conf"):
        if (candidate / "train.yaml").is_file():
            return candidate
    raise FileNotFoundError("aeos was installed without its conf/ folder: reinstall it")


#: Groups that not every job has, and the job that has them.
OWN = {"curve": "sweep_stability"}


def groups(job: str | None = None) -> dict[str, list[str]]:
    """Config groups and their choices, by file name: those of one job, or all; figures are no choice of a job."""
    folders = sorted(path for path in conf_dir().iterdir() if path.is_dir() and path.name != "figure")
    shown = [folder for folder in folders if job is None or OWN.get(folder.name, job) == job]
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in shown}
