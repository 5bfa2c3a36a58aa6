"""Codemagic's client of App Store Connect against the sandbox: what it did and found, as JSON on standard output.

The one argument is a JSON file: endpoint, key_id, issuer_id, key (path of the private key), bundle_id, version. It
judges nothing; tests/adapters/foreign_clients.rs does.
"""

import json
import pathlib
import sys

from codemagic.apple.app_store_connect import AppStoreConnectApiClient, AppStoreConnectApiError
from codemagic.apple.resources import PhasedReleaseState

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)

# The client has no setting for its address.
AppStoreConnectApiClient.API_URL = f"{asked['endpoint']}/v1"
client = AppStoreConnectApiClient(
    asked["key_id"], asked["issuer_id"], pathlib.Path(asked["key"]).read_text(encoding="ascii")
)


def refusal(call):
    try:
        call()
    except AppStoreConnectApiError as error:
        return {
            "status": error.response.status_code,
            "errors": [{"code": e.code, "title": e.title, "detail": e.detail} for e in error.error_response.errors],
        }
    return None


def state(phased):
    return phased.attributes.phasedReleaseState.value


app = client.apps.list(client.apps.Filter(bundle_id=asked["bundle_id"]))[0]
versions = client.apps.list_app_store_versions(
    app.id, client.app_store_versions.Filter(version_string=asked["version"])
)
version = versions[0]
phased = client.app_store_versions.read_app_store_version_phased_release(version.id)


def moved(to):
    return client.app_store_version_phased_releases.modify(phased.id, phased_release_state=PhasedReleaseState(to))


print(
    json.dumps(
        {
            "app": app.attributes.bundleId,
            "version": version.attributes.versionString,
            "build": client.app_store_versions.read_build(version.id).attributes.version,
            "before": {"state": state(phased), "day": phased.attributes.currentDayNumber},
            "paused": state(moved("PAUSED")),
            "read_back": state(client.app_store_versions.read_app_store_version_phased_release(version.id)),
            "paused_again": refusal(lambda: moved("PAUSED")),
            "resumed": state(moved("ACTIVE")),
            "completed": state(moved("COMPLETE")),
            "paused_when_complete": refusal(lambda: moved("PAUSED")),
            "nowhere": refusal(lambda: client.apps.read("1")),
        }
    )
)
