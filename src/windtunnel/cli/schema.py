"""``windtunnel schema``: the JSON schema of an experiment."""

import json


def schema() -> None:
    """Print the JSON schema of an experiment.

    Editors and other programs can complete and check YAML files with it.

    Examples:
      windtunnel schema > experiment.schema.json
    """
    from windtunnel.config.files import json_schema

    print(json.dumps(json_schema(), indent=2))
