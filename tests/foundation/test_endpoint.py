"""The client of OpenAI-compatible services against a real HTTP server that answers by a script."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foundation.endpoint import Client, Endpoint, EndpointError, Usage
from foundation.errors import ZhongjingError

QUESTION = [{"role": "user", "content": "肚子疼"}]


@pytest.fixture
def client_of(scripted: Any) -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def make(**options: Any) -> Client:
        quick = {"backoff": 0.001, "timeout": 30.0, "retries": 3} | options
        opened.append(Client(Endpoint(base_url=scripted.url, model="tiny", **quick)))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


def in_turn(*answers: Any) -> Callable[[dict[str, Any]], Any]:
    waiting = iter(answers)
    return lambda asked: next(waiting)


def test_a_conversation_is_answered_and_counted(scripted: Any, client_of: Callable[..., Client]) -> None:
    client = client_of()
    reply = client.chat(QUESTION, max_tokens=9, temperature=0.5, seed=3, top_p=0.9)
    assert (reply.text, reply.finish) == ("好", "stop")
    assert scripted.asked == [
        {"model": "tiny", "messages": QUESTION, "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "seed": 3}
    ]
    assert client.usage == Usage(requests=1, prompt_tokens=7, completion_tokens=1)
    assert Usage(prompt_tokens=2_000_000, completion_tokens=500_000).cost(3.0, 8.0) == 10.0


@pytest.mark.parametrize(
    "passing",
    [429, 500, 503, 408, None, b'{"choices": [{"mess', b"<html>", b"\xff\xfe", {"choices": []}, {"error": "x"}, b""],
    ids=str,
)
def test_what_may_pass_is_asked_again(scripted: Any, client_of: Callable[..., Client], passing: Any) -> None:
    scripted.script = in_turn(passing, passing, "好")
    client = client_of()
    assert client.chat(QUESTION).text == "好"
    assert (client.usage.requests, client.usage.retries) == (3, 2)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (429, "rate_limited"),
        (502, "server_error"),
        (None, "server_error"),
        (b'{"half', "nonsense"),
        ({"choices": [{"message": {"content": 7}}]}, "nonsense"),
    ],
)
def test_what_does_not_pass_is_said(scripted: Any, client_of: Callable[..., Client], answer: Any, fault: str) -> None:
    scripted.script = lambda asked: answer
    with pytest.raises(EndpointError) as caught:
        client_of().chat(QUESTION)
    assert caught.value.fault == fault
    assert not caught.value.hopeless
    assert len(scripted.asked) == 4


@pytest.mark.parametrize(("status", "fault"), [(401, "denied"), (403, "denied"), (404, "denied"), (400, "refused")])
def test_a_refusal_is_not_asked_again(scripted: Any, client_of: Callable[..., Client], status: int, fault: str) -> None:
    scripted.script = lambda asked: status
    with pytest.raises(EndpointError) as caught:
        client_of().chat(QUESTION)
    assert (caught.value.fault, caught.value.hopeless) == (fault, fault == "denied")
    assert len(scripted.asked) == 1


def test_a_service_that_is_not_there_is_hopeless() -> None:
    endpoint = Endpoint(base_url="http://127.0.0.1:9/v1", model="x", retries=1, backoff=0)
    with Client(endpoint) as client, pytest.raises(EndpointError, match="no connection") as caught:
        client.chat(QUESTION)
    assert caught.value.fault == "unreachable"
    assert caught.value.hopeless


def test_a_slow_service_is_a_timeout(scripted: Any, client_of: Callable[..., Client]) -> None:
    held = threading.Event()
    scripted.script = lambda asked: held.wait(60) and "好"
    try:
        with pytest.raises(EndpointError) as caught:
            client_of(timeout=0.05, retries=1).chat(QUESTION)
    finally:
        held.set()
    assert caught.value.fault == "timeout"


def test_an_endless_answer_is_not_read_to_its_end(scripted: Any, client_of: Callable[..., Client]) -> None:
    scripted.script = lambda asked: "药" * 100_000
    with pytest.raises(EndpointError) as caught:
        client_of(max_bytes=50_000).chat(QUESTION)
    assert caught.value.fault == "too_long"
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(("header", "least", "most"), [("1", 1.0, 30.0), ("999999", 0.2, 30.0), ("x", 0.0, 30.0)])
def test_a_service_says_how_long_to_wait(
    scripted: Any, client_of: Callable[..., Client], header: str, least: float, most: float
) -> None:
    waits: list[float] = []
    client = client_of(longest_wait=0.2 if header == "999999" else 5)
    client._closed = Waiting(waits)  # type: ignore[assignment]
    scripted.script = in_turn((429, {"Retry-After": header}, b""), "好")
    assert client.chat(QUESTION).text == "好"
    assert least <= max(waits) <= most


class Waiting(threading.Event):
    """An event that notes how long it was waited for, and is never waited for."""

    def __init__(self, waits: list[float]) -> None:
        super().__init__()
        self.waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


def test_the_key_comes_from_the_environment_and_shows_nowhere(
    scripted: Any, client_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_TEST_KEY", "sk-secret")
    scripted.script = lambda asked: {"error": {"code": "model_not_found", "message": "no model for 肚子疼"}}
    client = client_of(key_variable="STUDIO_TEST_KEY", retries=0)
    with pytest.raises(EndpointError) as caught:
        client.chat(QUESTION)
    assert scripted.keys == {"Bearer sk-secret"}
    assert "secret" not in str(caught.value) + repr(client.endpoint)
    monkeypatch.delenv("STUDIO_TEST_KEY")
    with pytest.raises(ZhongjingError, match="STUDIO_TEST_KEY holds no key"):
        client_of(key_variable="STUDIO_TEST_KEY")


def test_an_error_names_its_code_and_quotes_nothing(scripted: Any, client_of: Callable[..., Client]) -> None:
    error = {"code": "context_length_exceeded", "message": "your words: 肚子疼"}
    scripted.script = lambda asked: (400, {}, {"error": error})
    with pytest.raises(EndpointError, match="context_length_exceeded") as caught:
        client_of().chat(QUESTION)
    assert "肚子疼" not in str(caught.value)
    error["code"] = "the patient said 肚子疼"
    with pytest.raises(EndpointError, match=r"status 400$"):
        client_of().chat(QUESTION)


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://x/v1", "http://", "https://user:key@host/v1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ZhongjingError, match="no address") as caught:
        Client(Endpoint(base_url=address, model="x"))
    assert "user:key" not in str(caught.value)


def test_many_are_asked_at_once_but_no_more_than_connections(scripted: Any, client_of: Callable[..., Client]) -> None:
    together = threading.Barrier(4, timeout=60)
    running, most, lock = 0, 0, threading.Lock()

    def script(asked: dict[str, Any]) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1
        return asked["messages"][0]["content"] * 2

    scripted.script = script
    client = client_of(connections=4)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(12):
            taken.append(number)
            yield number

    results = client.each(items(), lambda one: client.chat([{"role": "user", "content": str(one)}]).text, "asking")
    first = next(results)
    assert len(taken) <= 8
    assert dict([first, *results]) == {number: str(number) * 2 for number in range(12)}
    assert most == 4


def test_the_first_error_ends_the_rest(scripted: Any, client_of: Callable[..., Client]) -> None:
    scripted.script = lambda asked: 401
    client = client_of(connections=2)
    with pytest.raises(EndpointError):
        list(client.each(range(1_000), lambda one: client.chat(QUESTION), "asking"))
    assert len(scripted.asked) < 20


def test_a_closed_client_waits_no_longer(scripted: Any, client_of: Callable[..., Client]) -> None:
    refused = threading.Event()
    scripted.script = lambda asked: refused.set() or 503
    client = client_of(backoff=600.0, longest_wait=600.0)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.chat(QUESTION)
        except EndpointError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert refused.wait(60)
    client.close()
    thread.join(60)
    assert len(errors) == 1
