"""Google's own client of BigQuery against the sandbox: what it finds, as JSON on standard output.

The one argument is a JSON file: endpoint, key (path of a service-account key), project, dataset, table, and a question
as sql, labels and parameters (name, type, value). It judges nothing; tests/adapters/foreign_clients.rs does.
"""

import json
import sys

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery
from google.oauth2 import service_account

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)

credentials = service_account.Credentials.from_service_account_file(
    asked["key"], scopes=["https://www.googleapis.com/auth/bigquery"]
).with_always_use_jwt_access(True)
client = bigquery.Client(
    project=asked["project"],
    credentials=credentials,
    client_options=ClientOptions(api_endpoint=asked["endpoint"]),
)


def config(**more):
    parameters = [bigquery.ScalarQueryParameter(p["name"], p["type"], p["value"]) for p in asked["parameters"]]
    return bigquery.QueryJobConfig(labels=asked["labels"], query_parameters=parameters, **more)


def refusal(call):
    try:
        call()
    except GoogleAPICallError as error:
        return {"kind": type(error).__name__, "reason": error.errors[0]["reason"], "message": error.message}
    return None


def described(table):
    return {
        "rows": table.num_rows,
        "location": table.location,
        "partitioned_by": table.time_partitioning.field,
        "fields": {field.name: [inner.name for inner in field.fields] for field in table.schema},
    }


name = f"{asked['project']}.{asked['dataset']}.{asked['table']}"
job = client.query(asked["sql"], job_config=config(use_query_cache=False))
result = job.result(page_size=1)
rows = [list(row.values()) for row in result]
dry = client.query(asked["sql"], job_config=config(dry_run=True))
print(
    json.dumps(
        {
            "datasets": [dataset.dataset_id for dataset in client.list_datasets()],
            "tables": [table.table_id for table in client.list_tables(asked["dataset"])],
            "table": described(client.get_table(name)),
            "dry_run": {"processed": dry.total_bytes_processed, "billed": dry.total_bytes_billed},
            "job": {
                "state": job.state,
                "processed": job.total_bytes_processed,
                "billed": job.total_bytes_billed,
                "cache_hit": job.cache_hit,
                "statement": job.statement_type,
                "tables": [f"{t.project}.{t.dataset_id}.{t.table_id}" for t in job.referenced_tables],
            },
            "rows": rows,
            "columns": [field.name for field in result.schema],
            "one": [row.one for row in client.query_and_wait("SELECT 1 AS one")],
            "no_table": refusal(lambda: client.get_table(f"{name}_nowhere")),
            "too_dear": refusal(
                lambda: client.query(
                    asked["sql"], job_config=config(use_query_cache=False, maximum_bytes_billed=1)
                ).result()
            ),
            "no_sense": refusal(lambda: client.query_and_wait("SELECT nothing")),
        }
    )
)
