"""Slack's own client against the sandbox: what it did and found, as JSON on standard output.

The one argument is a JSON file: endpoint, token, channel. It judges nothing; tests/adapters/foreign_clients.rs does.
It goes the way of a release: a warning, an edit of it, a halt as a broadcast reply, and both found again by their keys.
"""

import json
import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)

client = WebClient(token=asked["token"], base_url=f"{asked['endpoint']}/api/")
channel = asked["channel"]


def refusal(call):
    try:
        call()
    except SlackApiError as error:
        return error.response["error"]
    return None


def metadata(key):
    return {"event_type": "tidegate", "event_payload": {"key": key}}


def section(text):
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]


def keys(messages):
    return [message["metadata"]["event_payload"]["key"] for message in messages if "metadata" in message]


warning = client.chat_postMessage(
    channel=channel, text="warning", blocks=section("warning"), metadata=metadata("warn")
)
client.chat_update(
    channel=channel, ts=warning["ts"], text="worse", blocks=section("worse"), metadata=metadata("warn")
)
halt = client.chat_postMessage(
    channel=channel,
    text="halted",
    blocks=section("halted"),
    thread_ts=warning["ts"],
    reply_broadcast=True,
    metadata=metadata("halt"),
)
history = client.conversations_history(channel=channel, include_all_metadata=True)
replies = client.conversations_replies(channel=channel, ts=warning["ts"], include_all_metadata=True)
print(
    json.dumps(
        {
            "team": client.auth_test()["team"],
            "parent_of_the_halt": halt["message"]["thread_ts"] == warning["ts"],
            "history": [[message["text"], message.get("subtype")] for message in history["messages"]],
            "history_keys": keys(history["messages"]),
            "replies": [message["text"] for message in replies["messages"]],
            "reply_keys": keys(replies["messages"]),
            "no_channel": refusal(lambda: client.chat_postMessage(channel="C0NOWHERE00", text="x")),
            "nothing_to_edit": refusal(lambda: client.chat_update(channel=channel, ts="1.000100", text="x")),
            "too_long": refusal(
                lambda: client.chat_postMessage(channel=channel, text="x", blocks=section("x" * 3001))
            ),
            "bad_token": refusal(
                lambda: WebClient(token="xoxb-wrong", base_url=f"{asked['endpoint']}/api/").auth_test()
            ),
        }
    )
)
