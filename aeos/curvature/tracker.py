"""Eigenvalues followed along training: a few products a measurement, and none of them missed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from aeos.curvature.eigenpairs import STILL, Eigenpairs, allowed, basis, converged, expand, extract, normal
from aeos.curvature.hessian import Operator
from aeos.curvature.krylov import Krylov, Ritz

NOISE = 0.02  # share of a random vector in the guard, so that it can leave an exact eigenvector
WARINESS = 2.0  # the guard may have moved by so many times what was seen lately
PAUSE = 8  # measurements after which the guard takes part again, wherever it was


@dataclass
class Known:
    """What one measurement leaves to later ones: k + 1 vectors (rows) and their values when they last took part, the
    guard last in both (there is none where k = d), and how many measurements ago the guard took part.
    """

    vectors: Tensor
    values: Tensor
    age: int = 0


class SharpnessTracker:
    """The k largest eigenvalues of an operator that changes a little between measurements.

    It remembers k + 1 vectors: those it reports and a guard, the next one below. A measurement takes one product along
    each reported vector. If ρ²/gap (see `lanczos`) keeps to `tol` it ends there, with the gap to where the guard may be
    by now: its last value, and as much relative change a measurement as the values have lately shown. Otherwise, and
    every 8th time, the guard takes part with a product of its own, and the space grows until the guard's residual has
    no room for a larger value. So one that falls, or one that rises from below, brings the guard in before the two can
    cross unnoticed. Every `restart`-th measurement starts cold, for what rose where neither guard nor noise met it.

    The next start is nearer for two reasons. Every vector y turns along its residual r, to y + r/(θ − c) with c halfway
    between the guard's value and the lowest one seen: that needs no product and shortens y's part along every
    eigenvector between the two. And at the edge of stability θ swings with period 2, its Hessian too: where the vectors
    of two measurements ago have fitted better than the last ones, it starts from those.

    `catch`, given to `measure`, is a value above which no eigenvalue goes unreported: the number reported grows until
    the guard lies below it, and shrinks again, to k at least, with those that sink below 0.9·catch.
    """

    def __init__(self, k: int = 1, *, tol: float = 1e-3, restart: int = 100, seed: int = 0) -> None:
        self.least = self.k = k
        self.tol, self.restart = tol, restart
        self.generator = torch.Generator().manual_seed(seed)
        self.known: list[Known] = []  # of the last two measurements, the last one last
        self.swings = False  # whether the one before it fits the next better
        self.lowest = 0.0  # the smallest value since the last cold start, or 0
        self.change = 0.01  # relative, a measurement, lately
        self.count = 0

    def measure(self, operator: Operator, like: Tensor, catch: float | None = None) -> Eigenpairs:
        """The largest eigenpairs of a symmetric operator on vectors like `like` (d,), at least k of them.

        Another d than before starts anew. Raises BadInput as `lanczos` does.
        """
        krylov = basis(operator, like, self.k)
        if any(known.vectors[0].shape != like.shape for known in self.known):
            self.known, self.swings = [], False  # another problem
        for known in self.known:
            known.vectors = known.vectors.to(like)  # a checkpoint's are on the CPU
        start = self.known[0 if self.swings else -1] if self.known and self.count % self.restart else None
        if start is not None:
            found = self._warm(krylov, start, catch)
        else:
            krylov.add(normal(like, self.generator))
            found, self.lowest = self._settled(krylov, STILL + self.k), 0.0
            found = self._rejoined(krylov, found)
        if catch is not None:
            found = self._grow(krylov, found, catch)
        pairs = extract(krylov, found, self.k)
        if self.known:
            align_(pairs.vectors, self.known[-1].vectors)
        self._remember(krylov, found, pairs, start)
        if catch is not None:
            self._shrink(0.9 * catch)
        self.count += 1
        return pairs

    def _grow(self, krylov: Krylov, found: Ritz, catch: float) -> Ritz:
        """Report more while the next value lies above `catch`; as many at once as the basis has room for."""
        d, room = krylov.basis.shape[1], len(krylov.basis)
        while self.k < krylov.size and float(found.values[self.k] + found.residuals[self.k]) > catch:
            if room < d and room <= 2 * self.k + 10:
                break
            found = expand(krylov, self.k + 1, self.tol, self.generator)
            if float(found.values[self.k]) <= catch:
                break
            self.k += 1
            found = self._settled(krylov)
        return found

    def _rejoined(self, krylov: Krylov, found: Ritz) -> Ritz:
        """With what was followed until now: of a multiple eigenvalue a search from one vector finds one."""
        if not self.known or krylov.size == krylov.basis.shape[1]:
            return found
        vectors = self.known[-1].vectors[: self.k]
        if krylov.size + len(vectors) > len(krylov.basis):
            keep = len(krylov.basis) // 2
            krylov.compress(found.coordinates[:, :keep], found.values[:keep])
        for vector in vectors:
            if krylov.size < len(krylov.basis):
                krylov.add(vector.to(krylov.basis))
        return self._settled(krylov)

    def _settled(self, krylov: Krylov, still: int = 0) -> Ritz:
        """k converged values, and one below them unless they are all."""
        found = expand(krylov, self.k, self.tol, self.generator, still)
        if krylov.size == self.k < krylov.basis.shape[1]:
            if not krylov.grow(found.coordinates):
                krylov.add(normal(krylov.basis[0], self.generator))
            found = expand(krylov, self.k, self.tol, self.generator)
        return found

    def _warm(self, krylov: Krylov, start: Known, catch: float | None) -> Ritz:
        """Products along the reported vectors, along the guard's if need be, then along where the residuals point."""
        for vector in start.vectors[: self.k]:
            krylov.add(vector.to(krylov.basis))
        found = krylov.ritz()
        self._note_change(float(found.values[0]), float(start.values[0]), 1)
        if len(start.vectors) <= self.k:
            return expand(krylov, self.k, self.tol, self.generator)
        guard, age = float(start.values[self.k]), start.age + 1
        reach = guard + abs(guard) * WARINESS * self.change * age
        clear = reach < float(found.values[-1]) and (catch is None or reach <= catch)
        if clear and age < PAUSE and converged(found, self.k, self.tol, reach):
            return found
        krylov.add(start.vectors[self.k].to(krylov.basis))
        self._note_change(float(krylov.T[self.k, self.k]), guard, age)
        found = expand(krylov, self.k, self.tol, self.generator)
        while self.k < krylov.size < len(krylov.basis) and self._hidden(found) > allowed(found, self.tol):
            krylov.grow(found.coordinates[:, self.k : self.k + 1])
            found = expand(krylov, self.k, self.tol, self.generator)
        return found

    def _hidden(self, found: Ritz) -> float:
        """How far above the k-th value the guard's eigenvalue may lie, its Ritz value being the lower for its residual.

        That by ρ²/(θ − c), for a residual spread over the spectrum's lower part, taken twice.
        """
        value, residual = float(found.values[self.k]), float(found.residuals[self.k])
        middle = (value + self.lowest) / 2
        short = 2 * residual**2 / max(value - middle, residual, 1e-300)
        return min(short, value + short - float(found.values[self.k - 1]))

    def _note_change(self, now: float, before: float, measurements: int) -> None:
        moved = abs(now - before) / max(abs(now), abs(before), 1e-300)
        self.change = max(0.9 * self.change, moved / measurements)

    def _remember(self, krylov: Krylov, found: Ritz, pairs: Eigenpairs, start: Known | None) -> None:
        """The vectors that the next measurements start from, orthonormal, and which of them the next one does."""
        taken = min(self.k + 1, krylov.size)
        S, values, age = found.coordinates[:, :taken], found.values[:taken], 0
        kept = Known(pairs.vectors[:0], values[:0]) if start is None or taken > self.k else start
        guard = values[-1] if taken > self.k else kept.values[self.k :].sum()
        self.lowest = min(self.lowest, float(found.values[-1]))
        turn = 1 / (values - (guard + self.lowest) / 2).clamp_min(max(0.1 * float(values.abs().max()), 1e-300))
        vectors = krylov.combine(S) + turn.to(krylov.basis)[:, None] * krylov.residuals(S)
        if taken > self.k:
            noise = normal(vectors[0], self.generator)
            vectors[self.k] += NOISE * noise / noise.norm()
        else:
            vectors = torch.cat([vectors, kept.vectors[self.k :]])
            values, age = torch.cat([values, kept.values[self.k :]]), kept.age + 1
        vectors = torch.linalg.qr(vectors.T)[0].T.contiguous()
        align_(vectors, pairs.vectors)
        fits = [float((pairs.vectors @ known.vectors[: self.k].T).square().sum()) for known in self.known]
        self.swings = len(fits) == 2 and fits[0] > fits[1]
        if start is None and fits and fits[-1] < self.k / 2:  # a cold start found others: forget what was followed
            self.known, self.swings = [], False
        self.known = [*self.known[-1:], Known(vectors, values, age)]

    def _shrink(self, below: float) -> None:
        """Report fewer: the first of those that sank becomes the guard."""
        while self.k > self.least and float(self.known[-1].values[self.k - 1]) < below:
            self.k -= 1
        for known in self.known:
            known.vectors, known.values = known.vectors[: self.k + 1], known.values[: self.k + 1]

    def pack(self) -> dict[str, Any]:
        """All that the next measurement depends on, for a checkpoint."""
        packed = {name: getattr(self, name) for name in ("k", "least", "swings", "lowest", "change", "count")}
        return packed | {"known": [asdict(known) for known in self.known], "generator": self.generator.get_state()}

    def unpack(self, packed: dict[str, Any]) -> None:
        """Go on as the tracker that was packed would."""
        plain = dict(packed)
        self.generator.set_state(plain.pop("generator"))
        self.known = [Known(**known) for known in plain.pop("known")]
        vars(self).update(plain)


def align_(vectors: Tensor, known: Tensor) -> None:
    """Give each row the sign in which it agrees with its counterpart, as far as there are any."""
    for row, before in zip(vectors, known, strict=False):
        if row @ before < 0:
            row.neg_()
