"""Weights & Biases sweep files read as sweeps of ours.

Source: "Define sweep configuration" in W&B's documentation (keys, distributions and their defaults).
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from windtunnel.errors import ConfigError, Problem
from windtunnel.registry import suggest

_METHODS = {"grid": "grid", "random": "random", "bayes": "tpe"}
_OURS = ("name", "project", "base", "fixed", "constraints", "repeats", "seeds")
_READ = ("method", "parameters", "metric", "early_terminate", "run_cap")
_IGNORED = ("program", "command", "controller", "entity", "description", "kind")


def is_wandb(tree: Mapping[str, Any]) -> bool:
    """Say whether ``tree`` has the keys of a W&B sweep file."""
    return "space" not in tree and ("method" in tree or "parameters" in tree)


def read_wandb(tree: Mapping[str, Any], source: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the fields of a :class:`SweepConfig` and what was ignored, in words.

    Parameters are named by the dotted paths of an experiment, or nest as W&B's do; ``base`` says which.

    Raises:
        ConfigError: something in the file has no meaning here; carries every problem.
    """
    reader = _Reader()
    fields = {key: tree[key] for key in _OURS if key in tree}
    if isinstance(tree.get("name"), str):
        fields["name"] = re.sub(r"[^A-Za-z0-9._-]+", "-", tree["name"]).strip("-.")  # W&B takes any text
    fields["space"] = reader.space(tree.get("parameters"), "parameters", "")
    fields["strategy"] = reader.strategy(tree.get("method"), tree.get("run_cap"))
    fields |= reader.metric(tree.get("metric", {}))
    if tree.get("early_terminate") is not None:
        fields["pruning"] = reader.pruning(tree["early_terminate"])
    reader.refuse_unknown(tree, (*_OURS, *_READ, *_IGNORED), "")
    if reader.problems:
        raise ConfigError(source, reader.problems)
    reader.ignore(tree, _IGNORED, "")
    return fields, tuple(f"{key} is W&B's and means nothing here" for key in reader.ignored)


class _Reader:
    """Collects every problem while it reads."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.ignored: list[str] = []

    def ignore(self, tree: Mapping[str, Any], keys: tuple[str, ...], prefix: str) -> None:
        """Note which of ``keys`` are in ``tree``, to be told to the user."""
        self.ignored += [f"{prefix}{key}" for key in keys if key in tree]

    def space(self, parameters: Any, where: str, prefix: str) -> dict[str, Any]:
        """Return the axes of nested ``parameters``."""
        if not isinstance(parameters, Mapping) or not parameters:
            self._refuse(where, "must map names to what they may be")
            return {}
        axes: dict[str, Any] = {}
        for name, parameter in parameters.items():
            path, place = f"{prefix}{name}", f"{where}.{name}"
            if not isinstance(parameter, Mapping):
                self._refuse(place, "must be a mapping with value, values or min and max")
            elif "parameters" in parameter:
                axes |= self.space(parameter["parameters"], f"{place}.parameters", f"{path}.")
            else:
                axes[path] = self._axis(parameter, place)
        return axes

    def strategy(self, method: Any, run_cap: Any) -> dict[str, Any]:
        """Return the strategy of a method."""
        if not isinstance(method, str) or method not in _METHODS:
            self._refuse("method", f"must be one of {', '.join(_METHODS)}", method, suggest(str(method), _METHODS))
        elif run_cap is None and method != "grid":
            self._refuse("run_cap", f"is required: W&B's {method} search never ends by itself; say how many runs")
        else:
            return {"name": _METHODS[method], "runs": run_cap}
        return {"name": "grid"}

    def metric(self, metric: Any) -> dict[str, Any]:
        """Return our fields of a metric."""
        if not isinstance(metric, Mapping):
            self._refuse("metric", "must be a mapping with name and goal")
            return {}
        self.refuse_unknown(metric, ("name", "goal", "target", "impute"), "metric.")
        self.ignore(metric, ("target", "impute"), "metric.")
        goals = {"maximize": "max", "minimize": "min"}
        goal = metric.get("goal")
        if goal is not None and str(goal) not in goals:
            self._refuse("metric.goal", "must be maximize or minimize", goal, suggest(str(goal), goals))
        fields = {"metric": metric.get("name"), "mode": goals.get(str(goal))}
        return {key: value for key, value in fields.items() if value is not None}

    def pruning(self, rule: Any) -> dict[str, Any]:
        """Return successive halving for W&B's hyperband, which stops by its brackets of epochs."""
        if not isinstance(rule, Mapping) or rule.get("type") != "hyperband":
            self._refuse("early_terminate.type", "must be hyperband, the only one W&B has")
            return {}
        self.refuse_unknown(rule, ("type", "min_iter", "max_iter", "s", "eta", "strict"), "early_terminate.")
        self.ignore(rule, ("strict",), "early_terminate.")
        numbers = {key: rule.get(key, default) for key, default in (("eta", 3), ("s", 1))}
        limits = {key: rule[key] for key in ("min_iter", "max_iter") if key in rule}
        wrong = {key: value for key, value in {**numbers, **limits}.items() if not _is_count(value)}
        for key, value in wrong.items():
            self._refuse(f"early_terminate.{key}", "must be a whole number above 0", value)
        if not limits:
            self._refuse("early_terminate", "needs min_iter or max_iter, in epochs")
        if wrong or not limits:
            return {}
        first = limits.get("min_iter") or limits["max_iter"] // numbers["eta"] ** numbers["s"]
        return {"name": "successive_halving", "first": max(first, 1), "factor": numbers["eta"]}

    def refuse_unknown(self, tree: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
        """Note every key of ``tree`` that is not ``known``."""
        for key in tree:
            if key not in known:
                self._refuse(
                    f"{prefix}{key}", f"is not a known field; known: {', '.join(known)}", "", suggest(key, known)
                )

    def _axis(self, parameter: Mapping[str, Any], place: str) -> Any:
        self.refuse_unknown(parameter, ("value", "values", "min", "max", "q", "distribution"), f"{place}.")
        name = parameter.get("distribution") or _default_distribution(parameter)
        if not isinstance(name, str) or name not in _DISTRIBUTIONS:
            near = suggest(str(name), _DISTRIBUTIONS)
            self._refuse(f"{place}.distribution", f"must be one of {', '.join(_DISTRIBUTIONS)}", name, near)
            return []
        needed, build = _DISTRIBUTIONS[name]
        missing = [key for key in needed if key not in parameter]
        if missing:
            self._refuse(place, f"{name} needs {' and '.join(missing)}")
            return []
        words = [key for key in ("min", "max", "q") if not _is_number(parameter.get(key, 0))]
        for key in words:
            self._refuse(f"{place}.{key}", "must be a number", parameter[key])
        return [] if words else build(parameter)

    def _refuse(self, path: str, message: str, value: Any = "", hint: str = "") -> None:
        self.problems.append(Problem(path, message, "" if value in ("", None) else repr(value), hint))


def _default_distribution(parameter: Mapping[str, Any]) -> str:
    if "values" in parameter:
        return "categorical"
    if "value" in parameter:
        return "constant"
    ends = [parameter.get("min"), parameter.get("max")]
    return "int_uniform" if all(isinstance(end, int) for end in ends) else "uniform"


def _constant(parameter: Mapping[str, Any]) -> Any:
    return [parameter["value"]]


def _categorical(parameter: Mapping[str, Any]) -> Any:
    return parameter["values"]


def _uniform(parameter: Mapping[str, Any]) -> Any:
    return {"min": parameter["min"], "max": parameter["max"]}


def _int_uniform(parameter: Mapping[str, Any]) -> Any:
    if parameter["min"] == parameter["max"]:
        return [parameter["min"]]
    return {**_uniform(parameter), "integer": True}


def _log_uniform(parameter: Mapping[str, Any]) -> Any:
    """W&B's ends are exponents of e here."""
    return {"min": math.exp(parameter["min"]), "max": math.exp(parameter["max"]), "log": True}


def _log_uniform_values(parameter: Mapping[str, Any]) -> Any:
    return {**_uniform(parameter), "log": True}


def _quantised(axis: dict[str, Any], parameter: Mapping[str, Any]) -> Any:
    """Return ``axis`` in steps of W&B's ``q``, 1 where it is left out, whole where all its numbers are."""
    step = parameter.get("q", 1)
    whole = all(float(number).is_integer() for number in (axis["min"], axis["max"], step))
    return {**axis, "step": step, **({"integer": True} if whole else {})}


def _q_uniform(parameter: Mapping[str, Any]) -> Any:
    return _quantised(_uniform(parameter), parameter)


def _q_log_uniform_values(parameter: Mapping[str, Any]) -> Any:
    return _quantised(_log_uniform_values(parameter), parameter)


_ENDS = ("min", "max")
_DISTRIBUTIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any]], Any]]] = {
    "constant": (("value",), _constant),
    "categorical": (("values",), _categorical),
    "uniform": (_ENDS, _uniform),
    "int_uniform": (_ENDS, _int_uniform),
    "q_uniform": (_ENDS, _q_uniform),
    "log_uniform": (_ENDS, _log_uniform),
    "log_uniform_values": (_ENDS, _log_uniform_values),
    "q_log_uniform_values": (_ENDS, _q_log_uniform_values),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
