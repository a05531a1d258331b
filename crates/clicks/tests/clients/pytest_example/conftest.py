import pathlib
import shlex
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def buckets(tmp_path_factory):
    """The folder of the buckets of a local Firehose, which AWS clients find by the environment."""
    folder = tmp_path_factory.mktemp("clicks")
    function = f"totals={shlex.quote(sys.executable)} -m awslambdaric app.handler"
    command = ["clicks", "serve", "--port", "0", "--function-map", function]
    command += ["--destination", folder / "buckets", "--function-log", folder / "function.log"]
    # The function finds app.py in the working directory.
    here = pathlib.Path(__file__).parent
    with (
        pytest.MonkeyPatch.context() as environment,
        subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True) as server,
    ):
        # It prints one line, when it accepts connections: "endpoint" and the URL.
        endpoint = server.stdout.readline().removeprefix("endpoint").strip()
        assert endpoint, "clicks serve did not start"
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield folder / "buckets"
        server.terminate()
