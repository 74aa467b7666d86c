"""The papers that figures are from, in the order in which a report has them."""

#: arXiv id, or a name where there is none: what it is about.
PAPERS = {
    "2411.05746": "Continuous-time analysis of adaptive optimization and normalization",
    "2411.15958": "Adaptive methods through the lens of SDEs",
    "talk": "The optimization dynamics of adaptive gradient methods (J. Cohen's talk, 2023)",
    "2103.00065": "Gradient descent at the edge of stability",
    "2209.15594": "Self-stabilization",
    "2410.24206": "Central flows",
    "2207.14484": "Adaptive gradient methods at the edge of stability",
    "2412.20553": "Batch sharpness",
    "2601.16979": "Critical sharpness",
    "own": "Measurements of our own",
}
OWN = "own"


def place(paper: str) -> int:
    """Where a paper stands in that order."""
    return list(PAPERS).index(paper)


def source(paper: str, number: str | None) -> str:
    """`arXiv 2411.05746, Fig. 2`, `talk`; empty for a figure of our own."""
    if paper == OWN:
        return ""
    name = f"arXiv {paper}" if paper[0].isdigit() else paper
    return f"{name}, Fig. {number}" if number else name
