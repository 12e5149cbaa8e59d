"""What a report can be set against: a device that is not there, a peak, a rule of thumb."""

from __future__ import annotations

from typing import Any, overload

from ipyflops.report.estimates import AnyDevice, Estimate, Estimates, on
from ipyflops.report.rule_terms import compare_rule
from ipyflops.report.rules import RuleComparison


class Yardsticks:
    """The part of `ipyflops.Report` that sets it against something.

    `self` is always a `Report`, which this file does not know; hence `Any`.
    """

    @overload
    def on(
        self,
        device: AnyDevice,
        *,
        efficiency: float | None = None,
        per: tuple[int, str] | None = None,
    ) -> Estimate: ...

    @overload
    def on(
        self,
        device: list[AnyDevice] | tuple[AnyDevice, ...],
        *,
        efficiency: float | None = None,
        per: tuple[int, str] | None = None,
    ) -> Estimates: ...

    def on(
        self: Any,
        device: AnyDevice | list[AnyDevice] | tuple[AnyDevice, ...],
        *,
        efficiency: float | None = None,
        per: tuple[int, str] | None = None,
    ) -> Estimate | Estimates:
        """Estimate the least time of this work on a device, by its data sheet.

        Each operator takes at least as long as its FLOPs take at the peak of their dtype, and as
        its bytes take at the memory's bandwidth. Operators run one after the other: nothing is
        fused, nothing stays in a cache (unless ``Device.cache`` says how much may), and launching
        takes no time.
        A merged report of several ranks counts as the work of one device.

        Parameters
        ----------
        device : str, Device, or list of these
            A name such as ``H100 SXM``, with an efficiency ``H100 SXM@0.4``, or an
            `ipyflops.Device`. Several devices, also written ``A100,H100``, are compared side by
            side.
        efficiency : float, optional
            The share of the peaks that is reached; 1 by default.
        per : (int, str), optional
            How many items the run processed, and the name of one: ``(128, "token")`` gives tokens a
            second.

        Returns
        -------
        Estimate or Estimates

        Raises
        ------
        ValueError
            If there is no such device (the message lists similar names) or no such efficiency.
        """
        return on(self, device, efficiency=efficiency, per=per)

    def compare_rule(
        self: Any,
        tokens: int,
        *,
        parameters: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        head_size: int | None = None,
        length: int | None = None,
        hidden: int | None = None,
        vocabulary: int | None = None,
    ) -> RuleComparison:
        """Compare the count with the rules of thumb for transformers, term by term.

        The rules are 6ND, PaLM's 6ND + 12·L·H·Q·T·D and Megatron's formula; for a forward pass, 2ND
        and a third of the others. The result says how the count differs from 6ND: attention,
        logits, embeddings that are looked up, recomputation, element-wise work, the optimizer.

        Parameters
        ----------
        tokens : int
            D, the number of tokens in all sequences of the run.
        parameters, layers, heads, head_size, length, hidden, vocabulary : int, optional
            Sizes of the model. Pass those that the report does not know or has wrong.

        Returns
        -------
        RuleComparison

        Raises
        ------
        ValueError
            If there are no tokens, or no parameters.
        """
        return compare_rule(
            self,
            tokens,
            parameters=parameters,
            layers=layers,
            heads=heads,
            head_size=head_size,
            length=length,
            hidden=hidden,
            vocabulary=vocabulary,
        )
