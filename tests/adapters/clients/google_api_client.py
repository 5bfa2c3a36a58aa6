"""Google's own client of the Play Developer API against the sandbox: what it did and found, as JSON on standard output.

The one argument is a JSON file: endpoint, key (path of a service-account key), package, track, code (the version code
that is rolling out). It judges nothing; tests/adapters/foreign_clients.rs does. Every transaction reads the whole track
and writes it back with one release changed. The description of the API is the one inside the client.
"""

import json
import sys

from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)

credentials = service_account.Credentials.from_service_account_file(
    asked["key"], scopes=["https://www.googleapis.com/auth/androidpublisher"]
).with_always_use_jwt_access(True)
service = build(
    "androidpublisher",
    "v3",
    credentials=credentials,
    static_discovery=True,
    client_options={"api_endpoint": asked["endpoint"]},
)
edits = service.edits()
package = {"packageName": asked["package"]}
place = {**package, "track": asked["track"]}


def changed(**fields):
    """One transaction that sets fields of the release; a field of None is left out."""
    edit = {**place, "editId": edits.insert(**package, body={}).execute()["id"]}
    track = edits.tracks().get(**edit).execute()
    for release in track["releases"]:
        if asked["code"] in release["versionCodes"]:
            release.update(fields)
            for name in [name for name, value in fields.items() if value is None]:
                release.pop(name, None)
    edits.tracks().update(**edit, body=track).execute()
    edits.commit(
        **package, editId=edit["editId"], changesInReviewBehavior="ERROR_IF_IN_REVIEW"
    ).execute()
    return shown()


def shown():
    """The releases of the track, read in an edit that is thrown away."""
    edit = edits.insert(**package, body={}).execute()["id"]
    track = edits.tracks().get(**place, editId=edit).execute()
    edits.delete(**package, editId=edit).execute()
    return track["releases"]


def refusal(call):
    try:
        call()
    except HttpError as error:
        return {"status": error.status_code, "reason": error.reason}
    return None


def committed_twice():
    edit = edits.insert(**package, body={}).execute()["id"]
    edits.commit(**package, editId=edit).execute()
    edits.commit(**package, editId=edit).execute()


listed = service.applications().tracks().releases().list(
    parent=f"applications/{asked['package']}/tracks/{asked['track']}"
)
print(
    json.dumps(
        {
            "tracks": [
                track["track"]
                for track in edits.tracks()
                .list(**package, editId=edits.insert(**package, body={}).execute()["id"])
                .execute()["tracks"]
            ],
            "listed": listed.execute(),
            "before": shown(),
            "raised": changed(userFraction=0.5),
            "halted": changed(status="halted"),
            "resumed": changed(status="inProgress", userFraction=0.75),
            "everybody_with_a_fraction": refusal(lambda: changed(status="completed", userFraction=0.75)),
            "above_one": refusal(lambda: changed(status="inProgress", userFraction=1.5)),
            "completed": changed(status="completed", userFraction=None),
            "committed_twice": refusal(committed_twice),
            "nowhere": refusal(lambda: edits.insert(packageName="com.example.nowhere", body={}).execute()),
        }
    )
)
