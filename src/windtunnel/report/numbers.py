"""Numbers as reports show them."""

import math


def format_percent(fraction: float) -> str:
    """Return a fraction as percent.

    >>> format_percent(0.97219)
    '97.22%'
    """
    return f"{fraction:.2%}" if math.isfinite(fraction) else "not finite"


def format_percent_interval(interval: tuple[float, float]) -> str:
    """Return an interval of fractions in percent.

    >>> format_percent_interval((0.951, 0.984))
    '95.10 to 98.40%'
    """
    return f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}%"


def format_interval(interval: tuple[float, float]) -> str:
    """Return an interval of numbers; an end that is not bounded says so.

    >>> format_interval((-0.514, 1.25)), format_interval((-math.inf, math.inf))
    ('-0.51 to 1.25', 'unbounded')
    """
    low, high = interval
    return f"{low:.2f} to {high:.2f}" if math.isfinite(low) and math.isfinite(high) else "unbounded"


def format_loss(loss: float) -> str:
    """Return a loss in nats.

    >>> format_loss(0.03295), format_loss(math.nan)
    ('0.0330', 'not finite')
    """
    return f"{loss:.4f}" if math.isfinite(loss) else "not finite"


def format_count(count: float) -> str:
    """Return a whole number with separators.

    >>> format_count(70122)
    '70,122'
    """
    return f"{count:,.0f}"


def format_tera(count: float) -> str:
    """Return a count of operations in units of 10**12.

    >>> format_tera(2.375e14), format_tera(2.332e15)
    ('238', '2,332')
    """
    return f"{count / 1e12:.3g}" if count < 1e15 else f"{count / 1e12:,.0f}"


def format_rate(rate: float) -> str:
    """Return a learning rate.

    >>> format_rate(0.053875)
    '0.0539'
    """
    return f"{rate:.3g}"


def format_p(p: float) -> str:
    """Return a p-value.

    >>> format_p(0.0312), format_p(3e-7)
    ('0.031', '<0.0001')
    """
    return "<0.0001" if p < 1e-4 else f"{p:.2g}"


def format_two_places(value: float) -> str:
    """Return a number with two decimals.

    >>> format_two_places(3.14159)
    '3.14'
    """
    return f"{value:.2f}" if math.isfinite(value) else "not finite"
