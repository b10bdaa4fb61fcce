# SPDX-License-Identifier: Apache-2.0
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stratoplane_embedded import processes
from stratoplane_embedded.errors import AlreadyRunningError, StartError
from stratoplane_embedded.valkey import ValkeyServer


def test_a_new_folder_becomes_a_server(valkey, command):
    valkey.start()
    assert command(valkey.url, "PING") == "+PONG"
    assert valkey.url.startswith("unix:///")
    assert valkey.url.endswith("?db=0")
    assert stat.S_IMODE(Path(urlsplit(valkey.url).path).parent.stat().st_mode) == 0o700


def test_a_restart_keeps_the_data(valkey, command):
    valkey.start()
    command(valkey.url, "SET kept yes")
    assert valkey.stop()
    valkey.start()
    assert command(valkey.url, "GET kept") == "yes"


def test_kill_9_keeps_what_the_disk_has(valkey, tmp_path, command):
    valkey.start()
    command(valkey.url, "SET kept yes")
    log = valkey.folder / "data" / "appendonlydir"
    assert processes.wait_until(lambda: any(b"kept" in file.read_bytes() for file in log.iterdir()), 10)
    valkey.process.kill()
    valkey.process.wait()
    with ValkeyServer(tmp_path / "valkey") as server:
        assert command(server.url, "GET kept") == "yes"


def test_a_second_start_is_refused(valkey, tmp_path):
    valkey.start()
    with pytest.raises(AlreadyRunningError, match=rf"in use by process {valkey.process.pid}"):
        ValkeyServer(tmp_path / "valkey").start()


def test_a_setting_that_valkey_refuses_is_in_the_message(tmp_path):
    with pytest.raises(StartError, match="maxmemory-policy"):
        ValkeyServer(tmp_path / "valkey", settings={"maxmemory-policy": "sometimes"}).start()


def test_a_path_with_quotes_and_spaces(tmp_path, command):
    with ValkeyServer(tmp_path / 'a "folder" of mine') as server:
        assert command(server.url, "PING") == "+PONG"
        short = Path(urlsplit(server.url).path).parent
    short.joinpath("valkey.sock").unlink(missing_ok=True)
    short.rmdir()
