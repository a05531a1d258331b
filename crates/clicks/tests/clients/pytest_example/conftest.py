import subprocess

import pytest


@pytest.fixture(scope="session")
def buckets(tmp_path_factory):
    """The folder of the buckets of a local Firehose, which AWS clients find by the environment."""
    folder = tmp_path_factory.mktemp("clicks")
    command = ["clicks", "serve", "--port", "0", "--destination", "buckets", "--function-log", "function.log"]
    with (
        pytest.MonkeyPatch.context() as environment,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server,
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
