"""What a report can be set against: a device that is not there, a peak, a rule of thumb."""

from __future__ import annotations

from typing import Any, overload

from ipyflops.report.estimates import AnyDevice, Estimate, Estimates, on


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
        """Give what this work would take on a device: a bound by its data sheet.

        Each operator takes at least as long as its FLOPs take at the peak of their dtype, and as
        its bytes take to get through the memory's bandwidth. Operators are taken as they are, one
        after the other: nothing is fused, nothing stays in a cache, and launching takes no time.
        A merged report of several ranks is taken as the work of one device.

        Parameters
        ----------
        device : str, Device, or list of these
            A name as ``H100 SXM``, with an efficiency as ``H100 SXM@0.4``, or `ipyflops.Device` for
            any other. Several, also as ``A100,H100``, are set side by side.
        efficiency : float, optional
            The share of the peaks that is reached; 1 where nothing is said.
        per : (int, str), optional
            How many items the run worked on, and what one is called: ``(128, "token")`` gives
            tokens a second.

        Returns
        -------
        Estimate or Estimates

        Raises
        ------
        ValueError
            If there is no such device, or that is no efficiency; the message names close ones.
        """
        return on(self, device, efficiency=efficiency, per=per)
