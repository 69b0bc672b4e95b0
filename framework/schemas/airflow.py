"""The options of Apache Airflow 3.3.2 and its providers: facts for `framework.schemas.facts`.

Made by docs/generate_airflow_options.py: do not edit. One option a line: name|type|flags|added|deprecated|default,
without the last field if there is no default. A section is split when it is first asked for.
"""

# fmt: off
# ruff: noqa: E501

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME, RELEASE = 'Airflow', '3.3.2'
#: Who declares the core sections: if this release is installed beside us, its file says what stands here.
CORE = 'apache_airflow_core-3.3.2'
#: How the distributions of older releases begin: what is outdated today is not yet so beside one of them.
OLDER_CORES = ('apache_airflow-1.', 'apache_airflow-2.')
#: Where the options of other packages are found, and the defaults that hold where no package declares them.
ENTRY_POINTS = 'apache_airflow_provider'
FALLBACK = 'provider_config_fallback_defaults.cfg'
#: Sections that are read whole, so that they may hold options that nobody declares.
OPEN = ('celery_broker_transport_options', 'celery_result_backend_transport_options', 'elasticsearch_configs', 'opensearch_configs', 'kubernetes_environment_variables', 'kubernetes_secrets', 'kubernetes_labels', 'kubernetes_annotations', 'kubernetes_node_selectors')

#: Section -> (the distribution that declares it, empty where only a default is known; its options).
SECTIONS: dict[str, tuple[str, str]] = {
    'core': ('apache_airflow_core-3.3.2',
        'dags_folder|string||||{AIRFLOW_HOME}/dags\n'
        'hostname_callable|string||||airflow.utils.net.getfqdn\n'
        'might_contain_dag_callable|string||2.6.0||airflow.utils.file.might_contain_dag_via_default_heuristic\n'
        'default_timezone|string||||utc\n'
        'executor|string||||LocalExecutor\n'
        'mp_start_method|string||3.3.0|\n'
        'mp_forkserver_preload|string||3.3.0|\n'
        'auth_manager|string||2.7.0||airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager\n'
        'simple_auth_manager_users|string||3.0.0||admin:admin\n'
        'simple_auth_manager_all_admins|string||3.0.0||False\n'
        'simple_auth_manager_passwords_file|string||3.0.0|\n'
        'parallelism|integer||||32\n'
        'max_active_tasks_per_dag|integer||2.2.0||16\n'
        'dags_are_paused_at_creation|string||||True\n'
        'max_active_runs_per_dag|integer||||16\n'
        'max_consecutive_failed_dag_runs_per_dag|integer||2.9.0||0\n'
        'load_examples|string||||True\n'
        'plugins_folder|string||||{AIRFLOW_HOME}/plugins\n'
        'execute_tasks_new_python_interpreter|boolean||2.0.0||False\n'
        'fernet_key|string|s|||{FERNET_KEY}\n'
        'dagbag_import_timeout|float||||30.0\n'
        'dagbag_import_error_tracebacks|boolean||2.0.0||True\n'
        'dagbag_import_error_traceback_depth|integer||2.0.0||2\n'
        'default_impersonation|string||||\n'
        'security|string||||\n'
        'unit_test_mode|string||||False\n'
        'allowed_deserialization_classes|string||2.5.0||airflow.*\n'
        'allowed_deserialization_classes_regexp|string||2.8.2||\n'
        'killed_task_cleanup_time|integer||||60\n'
        'dag_run_conf_overrides_params|string||||True\n'
        'dag_discovery_safe_mode|string||1.10.3||True\n'
        'dag_ignore_file_syntax|string||2.3.0||glob\n'
        'default_task_retries|integer||1.10.6||0\n'
        'default_task_retry_delay|integer||2.4.0||300\n'
        'max_task_retry_delay|integer||2.6.0||86400\n'
        'default_task_weight_rule|string||2.2.0||downstream\n'
        'task_success_overtime|integer||2.10.0||20\n'
        'default_task_execution_timeout|integer||2.3.0||\n'
        'min_serialized_dag_update_interval|integer||1.10.7||30\n'
        'compress_serialized_dags|boolean||2.3.0||False\n'
        'num_dag_runs_to_retain_rendered_fields|integer||3.2.0||30\n'
        'xcom_backend|string||1.10.12||airflow.sdk.execution_time.xcom.BaseXCom\n'
        'lazy_load_plugins|boolean||2.0.0||True\n'
        'lazy_discover_providers|boolean||2.0.0||True\n'
        'hide_sensitive_var_conn_fields|boolean||2.1.0||True\n'
        'sensitive_var_conn_names|string||2.1.0||\n'
        'default_pool_task_slot_count|integer||2.2.0||128\n'
        'max_map_length|integer||2.3.0||1024\n'
        'allow_double_dot_in_ids|boolean||3.3.0||False\n'
        'daemon_umask|string||2.3.4||0o077\n'
        'asset_manager_class|string||3.0.0|\n'
        'asset_manager_kwargs|string|s|3.0.0|\n'
        'test_connection|string||2.7.0||Disabled\n'
        'max_templated_field_length|integer||2.9.0||4096\n'
        'execution_api_server_url|string||3.0.0|\n'
        'multi_team|boolean||3.2.0||False\n'
        'team_name_cache_ttl|integer||3.3.0||30\n'
        'rerun_with_latest_version|boolean||3.2.0|\n'
    ),
    'database': ('apache_airflow_core-3.3.2',
        'alembic_ini_file_path|string||2.7.0||alembic.ini\n'
        'sql_alchemy_conn|string|s|2.3.0||sqlite:///{AIRFLOW_HOME}/airflow.db\n'
        'sql_alchemy_conn_async|string|s|3.1.0|\n'
        'sql_alchemy_engine_args|string|s|2.3.0|\n'
        'sql_engine_encoding|string||2.3.0||utf-8\n'
        'sql_engine_collation_for_ids|string||2.3.0|\n'
        'sql_alchemy_pool_enabled|string||2.3.0||True\n'
        'sql_alchemy_pool_size|integer||2.3.0||5\n'
        'sql_alchemy_max_overflow|integer||2.3.0||10\n'
        'sql_alchemy_pool_recycle|integer||2.3.0||1800\n'
        'sql_alchemy_pool_pre_ping|boolean||2.3.0||True\n'
        'sql_alchemy_schema|string||2.3.0||\n'
        'sql_alchemy_connect_args|string||2.3.0|\n'
        'sql_alchemy_connect_args_async|string||3.1.0|\n'
        'sql_alchemy_session_maker|string||2.10.0|\n'
        'max_db_retries|integer||2.3.0||3\n'
        'check_migrations|string||2.6.0||True\n'
        'external_db_managers|string||3.0.0|\n'
        'migration_batch_size|integer||3.0.0||10000\n'
    ),
    'logging': ('apache_airflow_core-3.3.2',
        'base_log_folder|string||2.0.0||{AIRFLOW_HOME}/logs\n'
        'remote_logging|string||2.0.0||False\n'
        'remote_log_conn_id|string||2.0.0||\n'
        'delete_local_logs|string||2.6.0||False\n'
        'google_key_path|string||2.0.0||\n'
        'remote_base_log_folder|string||2.0.0||\n'
        'remote_task_handler_kwargs|string|s|2.6.0||\n'
        'encrypt_s3_logs|string||2.0.0||False\n'
        'logging_level|string||2.0.0||INFO\n'
        'namespace_levels|string||3.2.0|\n'
        'celery_logging_level|string||2.3.0||\n'
        'fab_logging_level|string||2.0.0||WARNING\n'
        'json_logs|boolean||3.2.0||False\n'
        'uvicorn_logging_level|string||3.2.0||INFO\n'
        'logging_config_class|string||2.0.0||\n'
        'colored_console_log|string||2.0.0||True\n'
        'log_format|string||2.0.0||\n'
        'callsite_parameters|string||3.1.0||filename,lineno\n'
        'simple_log_format|string||2.0.0||%%(asctime)s %%(levelname)s - %%(message)s\n'
        'dag_processor_log_target|string||2.4.0||file\n'
        'dag_processor_log_format|string||2.4.0||[%%(asctime)s] [SOURCE:DAG_PROCESSOR] {{%%(filename)s:%%(lineno)d}} %%(levelname)s - %%(message)s\n'
        'dag_processor_child_process_log_directory|string||||{AIRFLOW_HOME}/logs/dag_processor\n'
        'log_formatter_class|string||2.3.4||airflow.utils.log.timezone_aware.TimezoneAware\n'
        'log_timestamp_format|string||3.0.4||iso\n'
        'secret_mask_adapter|string||2.6.0||\n'
        'min_length_masked_secret|integer||3.0.0||5\n'
        'task_log_prefix_template|string||2.0.0||\n'
        'log_filename_template|string||2.0.0||dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/{%% if ti.map_index >= 0 %%}map_index={{ ti.map_index }}/{%% endif %%}attempt={{ try_number|default(ti.try_number) }}.log\n'
        'task_log_reader|string||2.0.0||task\n'
        'extra_logger_names|string||2.0.0||\n'
        'worker_log_server_port|string||2.2.0||8793\n'
        'trigger_log_server_port|string||2.6.0||8794\n'
        'interleave_timestamp_parser|string||2.6.0|\n'
        'file_task_handler_new_folder_permissions|string||2.6.0||0o775\n'
        'file_task_handler_new_file_permissions|string||2.6.0||0o664\n'
        'celery_stdout_stderr_separation|boolean||2.7.0||False\n'
        'color_log_error_keywords|string||2.10.0||error,exception\n'
        'color_log_warning_keywords|string||2.10.0||warn\n'
    ),
    'metrics': ('apache_airflow_core-3.3.2',
        'metrics_allow_list|string||2.6.0||\n'
        'metrics_block_list|string||2.6.0||\n'
        'legacy_names_on|string||3.2.0||True\n'
        'statsd_on|boolean||2.0.0||False\n'
        'statsd_host|string||2.0.0||localhost\n'
        'statsd_ipv6|boolean||3.0.0||False\n'
        'statsd_port|integer||2.0.0||8125\n'
        'statsd_prefix|string||2.0.0||airflow\n'
        'stat_name_handler|string||2.0.0||\n'
        'statsd_datadog_enabled|boolean||2.0.0||False\n'
        'statsd_datadog_tags|string||2.0.0||\n'
        'statsd_datadog_metrics_tags|boolean||2.6.0||True\n'
        'statsd_custom_client_path|string||2.0.0|\n'
        'statsd_disabled_tags|string||2.6.0||job_id,run_id\n'
        'statsd_influxdb_enabled|boolean||2.6.0||False\n'
        'otel_on|boolean||2.6.0||False\n'
        'otel_host|string||2.6.0|3.2.0|localhost\n'
        'otel_port|integer||2.6.0|3.2.0|8889\n'
        'otel_prefix|string||2.6.0||airflow\n'
        'otel_interval_milliseconds|integer||2.6.0|3.2.0|60000\n'
        'otel_debugging_on|boolean||2.7.0|3.2.0|False\n'
        'otel_service|string||2.10.3|3.2.0|Airflow\n'
        'otel_ssl_active|boolean||2.7.0|3.2.0|False\n'
    ),
    'traces': ('apache_airflow_core-3.3.2',
        'otel_on|boolean||2.10.0||False\n'
        'otel_host|string||2.10.0|3.2.0|localhost\n'
        'otel_port|integer||2.10.0|3.2.0|8889\n'
        'otel_service|string||2.10.0|3.2.0|Airflow\n'
        'otel_debugging_on|boolean||2.10.0|3.2.0|False\n'
        'otel_ssl_active|boolean||2.10.0|3.2.0|False\n'
        'otel_debug_traces_on|string||3.1.0|3.2.0|False\n'
        'task_runner_flush_timeout_milliseconds|integer||3.2.0||30000\n'
    ),
    'secrets': ('apache_airflow_core-3.3.2',
        'backend|string||1.10.10||\n'
        'backend_kwargs|string|s|1.10.10||\n'
        'use_cache|boolean||2.7.0||False\n'
        'cache_ttl_seconds|integer||2.7.0||900\n'
    ),
    'api': ('apache_airflow_core-3.3.2',
        'instance_name|string||2.1.0|\n'
        'theme|string|||\n'
        'enable_swagger_ui|boolean||2.6.0||True\n'
        'secret_key|string|s|||{SECRET_KEY}\n'
        'expose_config|string||||False\n'
        'expose_stacktrace|string||||False\n'
        'dag_cache_size|integer||3.2.2||64\n'
        'dag_cache_ttl|integer||3.2.2||3600\n'
        'base_url|string|||\n'
        'host|string||||0.0.0.0\n'
        'port|string||||8080\n'
        'workers|integer||||1\n'
        'worker_timeout|integer||||120\n'
        'server_type|string||3.2.0||uvicorn\n'
        'worker_refresh_interval|integer||3.2.0||0\n'
        'worker_refresh_batch_size|integer||3.2.0||1\n'
        'log_config|string|||\n'
        'log_stream_buffer_size|integer||3.2.0||500\n'
        'ssl_cert|string||||\n'
        'ssl_key|string||||\n'
        'ssl_ca_file|string|||\n'
        'ssl_cert_reqs|string||||none\n'
        'maximum_page_limit|integer||2.0.0||100\n'
        'fallback_page_limit|integer||2.0.0||50\n'
        'access_control_allow_headers|string||2.1.0||\n'
        'access_control_allow_methods|string||2.1.0||\n'
        'access_control_allow_origins|string||2.2.0||\n'
        'grid_view_sorting_order|string||2.7.0||topological\n'
        'log_fetch_timeout_sec|string||||5\n'
        'hide_paused_dags_by_default|boolean||||False\n'
        'default_wrap|boolean||1.10.4||False\n'
        'auto_refresh_interval|integer||2.2.0||3\n'
        'require_confirmation_dag_change|boolean||2.9.0||False\n'
        'client_ssl_cert|string|||\n'
        'client_ssl_key|string|||\n'
        'client_use_public_certs|boolean||||True\n'
    ),
    'workers': ('apache_airflow_core-3.3.2',
        'secrets_backend|string||3.0.0||\n'
        'secrets_backend_kwargs|string|s|3.0.0||\n'
        'state_store_backend|string||3.3.0||\n'
        'min_heartbeat_interval|integer||3.0.0||5\n'
        'max_failed_heartbeats|integer||3.0.0||3\n'
        'execution_api_retries|integer||3.0.0||5\n'
        'execution_api_retry_wait_min|float||3.0.0||1.0\n'
        'execution_api_retry_wait_max|float||3.0.0||90.0\n'
        'execution_api_timeout|float||3.1.1||5.0\n'
        'socket_cleanup_timeout|float||3.0.3||60.0\n'
        'missing_dag_retries|integer||3.1.7||3\n'
        'missing_dag_retry_delay|integer||3.1.7||60\n'
    ),
    'sdk': ('apache_airflow_core-3.3.2',
        'coordinators|string||3.3.0|\n'
        'queue_to_coordinator|string||3.3.0|\n'
    ),
    'api_auth': ('apache_airflow_core-3.3.2',
        'jwt_audience|string||3.0.0|\n'
        'jwt_expiration_time|integer||3.0.0||86400\n'
        'jwt_cli_expiration_time|integer||3.0.0||3600\n'
        'jwt_secret|string|s|3.0.0||{JWT_SECRET_KEY}\n'
        'jwt_private_key_path|string||3.0.0|\n'
        'jwt_algorithm|string||3.0.0|\n'
        'jwt_kid|string||3.0.0|\n'
        'trusted_jwks_url|string||3.0.0|\n'
        'jwt_issuer|string||3.0.0|\n'
        'jwt_leeway|integer||3.0.0||10\n'
    ),
    'execution_api': ('apache_airflow_core-3.3.2',
        'jwt_expiration_time|integer||3.0.0||600\n'
        'otel_trace_propagation|string||3.3.0||only-authenticated\n'
        'jwt_audience|string||3.0.0||urn:airflow.apache.org:task\n'
    ),
    'lineage': ('apache_airflow_core-3.3.2',
        'max_assets_per_collector|integer||3.2.0||100\n'
        'max_extras_per_collector|integer||3.2.0||200\n'
    ),
    'operators': ('apache_airflow_core-3.3.2',
        'default_owner|string||||airflow\n'
        'default_deferrable|boolean||2.7.0||false\n'
        'default_cpus|string||||1\n'
        'default_ram|string||||512\n'
        'default_disk|string||||512\n'
        'default_gpus|string||||0\n'
        'default_queue|string||2.1.0||default\n'
    ),
    'email': ('apache_airflow_core-3.3.2',
        'email_backend|string||||airflow.utils.email.send_email_smtp\n'
        'email_conn_id|string||2.1.0||smtp_default\n'
        'default_email_on_retry|boolean||2.0.0||True\n'
        'default_email_on_failure|boolean||2.0.0||True\n'
        'subject_template|string||2.0.1|\n'
        'html_content_template|string||2.0.1|\n'
        'from_email|string||2.2.4|\n'
        'ssl_context|string||2.7.0||default\n'
    ),
    'smtp': ('apache_airflow_core-3.3.2',
        'smtp_host|string||||localhost\n'
        'smtp_starttls|boolean||||True\n'
        'smtp_ssl|boolean||||False\n'
        'smtp_port|integer||||25\n'
        'smtp_mail_from|string||||airflow@example.com\n'
        'smtp_timeout|integer||2.0.0||30\n'
        'smtp_retry_limit|integer||2.0.0||5\n'
    ),
    'sentry': ('apache_airflow_core-3.3.2',
        'sentry_on|boolean||2.0.0||false\n'
        'sentry_dsn|string|s|1.10.6||\n'
        'before_send|string||2.2.0|\n'
    ),
    'scheduler': ('apache_airflow_core-3.3.2',
        'job_heartbeat_sec|float||||5\n'
        'scheduler_heartbeat_sec|integer||||5\n'
        'task_instance_heartbeat_sec|integer||2.7.0||0\n'
        'num_runs|integer||1.10.6||-1\n'
        'only_idle|boolean||3.2.0||false\n'
        'scheduler_idle_sleep_time|float||2.2.0||1\n'
        'parsing_cleanup_interval|integer||2.5.0||60\n'
        'pool_metrics_interval|float||2.0.0||5.0\n'
        'ti_metrics_interval|float||3.0.0||30.0\n'
        'dagrun_metrics_interval|float||3.1.0||30.0\n'
        'scheduler_health_check_threshold|integer||1.10.2||30\n'
        'enable_health_check|boolean||2.4.0||False\n'
        'scheduler_health_check_server_host|string||2.8.0||0.0.0.0\n'
        'scheduler_health_check_server_port|integer||2.4.0||8974\n'
        'orphaned_tasks_check_interval|float||2.0.0||300.0\n'
        'task_instance_heartbeat_timeout|integer||||300\n'
        'task_instance_heartbeat_timeout_detection_interval|float||2.3.0||10.0\n'
        'catchup_by_default|boolean||||False\n'
        'ignore_first_depends_on_past_by_default|boolean||2.3.0||True\n'
        'max_tis_per_query|integer||||16\n'
        'use_row_level_locking|boolean||2.0.0||True\n'
        'max_dagruns_to_create_per_loop|integer||2.0.0||10\n'
        'max_dagruns_per_loop_to_schedule|integer||2.0.0||20\n'
        'partition_mapper_max_downstream_keys|integer||3.3.0||1000\n'
        'use_job_schedule|boolean||1.10.2||True\n'
        'trigger_timeout_check_interval|float||2.2.0||15\n'
        'task_queued_timeout|float||2.6.0||600.0\n'
        'task_queued_timeout_check_interval|float||2.6.0||120.0\n'
        'allowed_run_id_pattern|string||2.6.3||^[A-Za-z0-9_.~:+-]+$\n'
        'create_cron_data_intervals|boolean||2.9.0||False\n'
        'create_delta_data_intervals|boolean||2.11.0||False\n'
        'enable_tracemalloc|boolean||3.0.0||False\n'
    ),
    'connection_test': ('apache_airflow_core-3.3.2',
        'timeout|integer||3.3.0||60\n'
        'max_concurrency|integer||3.3.0||4\n'
        'reaper_interval|float||3.3.0||30.0\n'
    ),
    'triggerer': ('apache_airflow_core-3.3.2',
        'capacity|integer||2.2.0||1000\n'
        'job_heartbeat_sec|float||2.6.3||5\n'
        'triggerer_health_check_threshold|float||2.7.0||30\n'
        'runner_health_check_threshold|float||3.2.2||30\n'
        'blocked_main_thread_warning_threshold|float||3.2.0||0.2\n'
        'max_trigger_to_select_per_loop|integer||3.2.0||50\n'
        'on_kill_timeout|integer||3.3.0||30\n'
        'queues_enabled|boolean||3.2.0||False\n'
        'shared_stream_subscriber_queue_size|integer||3.3.0||1024\n'
        'shared_stream_ack_timeout|float||3.3.0||300.0\n'
        'shared_stream_cohort_grace_period|float||3.3.0||0.0\n'
    ),
    'kerberos': ('apache_airflow_core-3.3.2',
        'ccache|string||||/tmp/airflow_krb5_ccache\n'
        'principal|string||||airflow\n'
        'reinit_frequency|string||||3600\n'
        'kinit_path|string||||kinit\n'
        'keytab|string||||airflow.keytab\n'
        'forwardable|boolean||2.2.0||True\n'
        'include_ip|boolean||2.2.0||True\n'
    ),
    'sensors': ('apache_airflow_core-3.3.2',
        'default_timeout|float||2.3.0||604800\n'
    ),
    'dag_processor': ('apache_airflow_core-3.3.2',
        'dag_bundle_storage_path|string||3.0.0|\n'
        'dag_bundle_config_list|string||3.0.0||[\x0b      {{\x0b        "name": "dags-folder",\x0b        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",\x0b        "kwargs": {{}}\x0b      }}\x0b    ]\x0b\n'
        'refresh_interval|integer||||300\n'
        'parsing_processes|integer||||2\n'
        'file_parsing_sort_mode|string||||modified_time\n'
        'max_callbacks_per_loop|integer||||20\n'
        'min_file_process_interval|integer||||30\n'
        'stale_dag_threshold|integer||||50\n'
        'dag_file_processor_timeout|integer||||50\n'
        'print_stats_interval|integer||||30\n'
        'health_check_threshold|integer||3.2.0||30\n'
        'disable_bundle_versioning|boolean||||False\n'
        'bundle_refresh_check_interval|integer||||5\n'
        'stale_bundle_cleanup_interval|integer||||1800\n'
        'stale_bundle_cleanup_age_threshold|integer||||21600\n'
        'stale_bundle_cleanup_min_versions|integer||||10\n'
        'parsing_pre_import_modules|boolean||2.6.0||True\n'
        'dag_version_inflation_check_level|string||3.2.0||warning\n'
    ),
    'state_store': ('apache_airflow_core-3.3.2',
        'backend|string||3.3.0||airflow.state.metastore.MetastoreBackend\n'
        'clear_on_success|boolean||3.3.0||False\n'
        'default_retention_days|integer||3.3.0||30\n'
        'state_cleanup_batch_size|integer||3.3.0||0\n'
        'max_value_storage_bytes|integer||3.3.0||65535\n'
    ),
    'profiling': ('apache_airflow_core-3.3.2',
        'memray_trace_components|string||3.2.0|\n'
        'memray_detailed_tracing|boolean||3.3.0||False\n'
    ),
    'callbacks': ('apache_airflow_core-3.3.2',
        'callback_execution_timeout|integer||3.3.0||0\n'
    ),
    'aws': ('apache_airflow_providers_amazon-9.39.0',
        'session_factory|string||3.1.1|\n'
        'cloudwatch_task_handler_json_serializer|string||8.7.2||airflow.providers.amazon.aws.log.cloudwatch_task_handler.json_serialize_legacy\n'
        's3_task_handler_acl_policy|string||9.34.0|\n'
    ),
    'aws_batch_executor': ('apache_airflow_providers_amazon-9.39.0',
        'conn_id|string||8.11||aws_default\n'
        'region_name|string||8.11|\n'
        'max_submit_job_attempts|integer||8.11||3\n'
        'check_health_on_startup|boolean||8.11||True\n'
        'job_name|string||8.11|\n'
        'job_queue|string||8.11|\n'
        'job_definition|string||8.11|\n'
        'submit_job_kwargs|string||8.11|\n'
    ),
    'aws_lambda_executor': ('apache_airflow_providers_amazon-9.39.0',
        'conn_id|string||9.9.0||aws_default\n'
        'region_name|string||9.9.0|\n'
        'check_health_on_startup|boolean||9.9.0||True\n'
        'max_invoke_attempts|integer||9.9.0||3\n'
        'queue_url|string||9.9.0|\n'
        'dead_letter_queue_url|string||9.9.0|\n'
        'function_name|string||9.9.0|\n'
        'qualifier|string||9.9.0|\n'
        'end_wait_timeout|integer||9.9.0||0\n'
    ),
    'aws_ecs_executor': ('apache_airflow_providers_amazon-9.39.0',
        'conn_id|string||8.10||aws_default\n'
        'region_name|string||8.10|\n'
        'assign_public_ip|boolean||8.10||False\n'
        'cluster|string||8.10|\n'
        'capacity_provider_strategy|string||8.17|\n'
        'container_name|string||8.10|\n'
        'launch_type|string||8.10|\n'
        'platform_version|string||8.10||LATEST\n'
        'security_groups|string||8.10|\n'
        'subnets|string||8.10|\n'
        'task_definition|string||8.10|\n'
        'max_run_task_attempts|integer||8.10||3\n'
        'run_task_kwargs|string||8.10|\n'
        'check_health_on_startup|boolean||8.11||True\n'
    ),
    'aws_eks_executor': ('apache_airflow_providers_amazon-9.39.0',
        'conn_id|string||9.39.0||aws_default\n'
        'region_name|string||9.39.0|\n'
        'check_health_on_startup|boolean||9.39.0||True\n'
        'cluster_name|string||9.39.0|\n'
    ),
    'aws_auth_manager': ('apache_airflow_providers_amazon-9.39.0',
        'conn_id|string||8.12.0||aws_default\n'
        'region_name|string||8.10|\n'
        'saml_metadata_url|string||8.12.0|\n'
        'avp_policy_store_id|string||8.12.0|\n'
        'allow_idp_initiated_login|boolean||9.37.0||False\n'
    ),
    'hive': ('apache_airflow_providers_apache_hive-9.7.1',
        'default_hive_mapred_queue|string||||\n'
        'mapred_job_name_template|string|||\n'
    ),
    'apache_kafka': ('apache_airflow_providers_apache_kafka-2.1.0',
        'callback_allowlist|string||2.0.0||\n'
    ),
    'kafka_event_producer': ('apache_airflow_providers_apache_kafka-2.1.0',
        'dag_run_events_enabled|boolean||1.14.1||False\n'
        'task_instance_events_enabled|boolean||1.14.1||False\n'
        'kafka_config_id|string||1.14.1||\n'
        'topic|string||1.14.1||airflow.events\n'
        'source|string||1.14.1||\n'
        'dag_run_dag_id_allowlist|string||1.14.1||\n'
        'dag_run_dag_id_denylist|string||1.14.1||\n'
        'task_instance_dag_id_allowlist|string||1.14.1||\n'
        'task_instance_dag_id_denylist|string||1.14.1||\n'
        'task_instance_task_id_allowlist|string||1.14.1||\n'
        'task_instance_task_id_denylist|string||1.14.1||\n'
        'topic_check_timeout|integer||1.14.1||10\n'
        'topic_check_retry_interval|integer||1.14.1||60\n'
    ),
    'celery_kubernetes_executor': ('apache_airflow_providers_celery-3.26.0',
        'kubernetes_queue|string||||kubernetes\n'
    ),
    'celery': ('apache_airflow_providers_celery-3.26.0',
        'celery_app_name|string||||airflow.providers.celery.executors.celery_executor\n'
        'worker_concurrency|string||||16\n'
        'mp_start_method|string|||\n'
        'mp_forkserver_preload|string|||\n'
        'worker_autoscale|string|||\n'
        'worker_prefetch_multiplier|integer||||1\n'
        'worker_enable_remote_control|boolean||||true\n'
        'json_logs|boolean|||\n'
        'task_logs_to_stdout|boolean|||\n'
        'broker_url|string|s|||redis://redis:6379/0\n'
        'result_backend|string|s||\n'
        'result_backend_sqlalchemy_engine_options|string||||\n'
        'flower_host|string||||0.0.0.0\n'
        'flower_url_prefix|string||||\n'
        'flower_port|string||||5555\n'
        'flower_basic_auth|string|s|||\n'
        'sync_parallelism|string||||0\n'
        'celery_config_options|string||||airflow.providers.celery.executors.default_celery.DEFAULT_CELERY_CONFIG\n'
        'ssl_active|string||||False\n'
        'ssl_mutual_tls|boolean||||True\n'
        'ssl_key|string||||\n'
        'ssl_cert|string||||\n'
        'ssl_cacert|string||||\n'
        'pool|string||||prefork\n'
        'operation_timeout|float||||1.0\n'
        'task_acks_late|boolean||3.6.0||True\n'
        'task_track_started|boolean||||True\n'
        'task_publish_max_retries|integer||||3\n'
        'extra_celery_config|string||||{{}}\n'
        'worker_umask|string|||\n'
        'worker_precheck|string||||False\n'
    ),
    'celery_broker_transport_options': ('apache_airflow_providers_celery-3.26.0',
        'visibility_timeout|string|||\n'
        'sentinel_kwargs|string|s||\n'
    ),
    'celery_result_backend_transport_options': ('apache_airflow_providers_celery-3.26.0',
        'client-config|string||3.24.0|\n'
        'fetch_message_attributes|string||3.24.0|\n'
        'kafka_admin_config|string||3.24.0|\n'
        'kafka_common_config|string||3.24.0|\n'
        'kafka_consumer_config|string||3.24.0|\n'
        'kafka_producer_config|string||3.24.0|\n'
        'master_name|string|||\n'
        'predefined_exchanges|string||3.24.0|\n'
        'predefined_queues|string||3.24.0|\n'
        'queue_tags|string||3.24.0|\n'
        'sentinel_kwargs|string|s||\n'
        'sqs-creation-attributes|string||3.24.0|\n'
    ),
    'local_kubernetes_executor': ('apache_airflow_providers_cncf_kubernetes-10.25.0',
        'kubernetes_queue|string||||kubernetes\n'
    ),
    'kubernetes_executor': ('apache_airflow_providers_cncf_kubernetes-10.25.0',
        'api_client_retry_configuration|string||||\n'
        'logs_task_metadata|boolean||||False\n'
        'running_pod_log_lines|integer||10.20.0||100\n'
        'pod_template_file|string||||\n'
        'worker_container_repository|string||||\n'
        'worker_container_tag|string||||\n'
        'namespace|string||||default\n'
        'delete_worker_pods|string||||True\n'
        'delete_worker_pods_on_failure|string||||False\n'
        'worker_pod_pending_fatal_container_state_reasons|string||8.1.0||CreateContainerConfigError,ErrImagePull,CreateContainerError,ImageInspectError,InvalidImageName\n'
        'worker_pods_creation_batch_size|string||||1\n'
        'async_pod_creation|boolean||10.21.0||False\n'
        'pod_creation_max_concurrency|integer||10.21.0||0\n'
        'multi_namespace_mode|boolean||||False\n'
        'multi_namespace_mode_namespace_list|string||||\n'
        'in_cluster|string||||True\n'
        'cluster_context|string|||\n'
        'config_file|string|||\n'
        'client_factory|string||10.24.0|\n'
        'async_client_factory|string||10.24.0|\n'
        'kube_client_request_args|string||||\n'
        'delete_option_kwargs|string||||\n'
        'enable_tcp_keepalive|boolean||||True\n'
        'tcp_keep_idle|integer||||120\n'
        'tcp_keep_intvl|integer||||30\n'
        'tcp_keep_cnt|integer||||6\n'
        'verify_ssl|boolean||||True\n'
        'ssl_ca_cert|string||||\n'
        'task_publish_max_retries|integer||||0\n'
        'pod_launch_failure_retries|integer||10.20.0||1\n'
        'pod_launch_failure_excluded_container_reasons|string||10.20.0||Error\n'
        'worker_pods_queued_check_interval|string||||60\n'
    ),
    'common.ai': ('apache_airflow_providers_common_ai-1.0.0',
        'durable_cache_path|string||0.1.0||\n'
        'otel_export_enabled|boolean||0.4.0||False\n'
        'capture_content|boolean||0.4.0||False\n'
    ),
    'common.io': ('apache_airflow_providers_common_io-1.11.0',
        'xcom_objectstorage_path|string||1.3.0||\n'
        'xcom_objectstorage_threshold|integer||1.3.0||-1\n'
        'xcom_objectstorage_compression|string||1.3.0||\n'
        'state_store_objectstorage_path|string||1.8.0||\n'
        'state_store_objectstorage_threshold|integer||1.8.0||0\n'
        'state_store_objectstorage_compression|string||1.8.0||\n'
    ),
    'dask': ('apache_airflow_providers_daskexecutor-1.1.1',
        'cluster_address|string||||127.0.0.1:8786\n'
        'tls_ca|string||||\n'
        'tls_cert|string||||\n'
        'tls_key|string||||\n'
    ),
    'edge': ('apache_airflow_providers_edge3-5.1.0',
        'api_enabled|boolean||||False\n'
        'api_url|string|||\n'
        'trusted_jwks_url|string||5.0.0|\n'
        'jwt_issuer|string||5.0.0|\n'
        'jwt_audience|string||5.0.0|\n'
        'jwt_algorithm|string||5.0.0||RS256\n'
        'jwt_leeway|integer||5.0.0||30\n'
        'jwt_verifier|string||5.0.0|\n'
        'job_poll_interval|integer||||5\n'
        'heartbeat_interval|integer||||30\n'
        'drain_timeout_sec|integer||3.6.0||0\n'
        'drain_kill_grace_sec|integer||3.6.0||30\n'
        'worker_concurrency|integer||||8\n'
        'job_success_purge|integer||||5\n'
        'job_fail_purge|integer||||60\n'
        'push_log_chunk_size|integer||||524288\n'
        'push_logs|boolean||1.5.0||True\n'
        'worker_umask|string|||\n'
        'minimum_acceptable_core_version_for_workers|string||3.6.0|\n'
        'minimum_acceptable_edge_version_for_workers|string||3.6.0|\n'
        'extended_system_info_function|string||3.5.0|\n'
        'automatic_maintenance_on|string||3.6.0||Off\n'
        'automatic_maintenance_exit|string||3.6.0||Off\n'
    ),
    'elasticsearch': ('apache_airflow_providers_elasticsearch-6.10.0',
        'host|string||1.10.4||\n'
        'log_id_template|string||1.10.4||{dag_id}-{task_id}-{run_id}-{map_index}-{try_number}\n'
        'end_of_log_mark|string||1.10.4||end_of_log\n'
        'frontend|string||1.10.4||\n'
        'write_stdout|string||1.10.4||False\n'
        'write_to_es|string||5.5.4||False\n'
        'target_index|string||5.5.4||airflow-logs\n'
        'json_format|string||1.10.4||False\n'
        'json_fields|string||1.10.4||asctime, filename, lineno, levelname, message\n'
        'host_field|string||2.1.1||host\n'
        'offset_field|string||2.1.1||offset\n'
        'index_patterns|string||2.6.0||_all\n'
        'index_patterns_callable|string||5.5.0||\n'
        'max_lines_per_page|string||6.4.4||1000\n'
        'es_compat_with|string||6.5.4||\n'
    ),
    'elasticsearch_configs': ('apache_airflow_providers_elasticsearch-6.10.0',
        'http_compress|string||1.10.5||False\n'
        'verify_certs|string||1.10.5||True\n'
        'use_ssl|string||||False\n'
    ),
    'fab': ('apache_airflow_providers_fab-3.10.2',
        'cookie_secure|boolean||2.4.0||False\n'
        'cookie_samesite|string||2.4.0||Lax\n'
        'navbar_color|string||2.2.0||#fff\n'
        'navbar_text_color|string||2.2.0||#51504f\n'
        'navbar_hover_color|string||2.2.0||#eee\n'
        'navbar_text_hover_color|string||2.2.0||#51504f\n'
        'access_denied_message|string||2.1.0||Access is Denied\n'
        'expose_hostname|string||2.1.0||False\n'
        'auth_rate_limited|boolean||1.0.2||True\n'
        'auth_rate_limit|string||1.0.2||5 per 40 second\n'
        'update_fab_perms|string||1.0.2||True\n'
        'custom_roles|string||||{{}}\n'
        'auth_backends|string||2.0.0||airflow.providers.fab.auth_manager.api.auth.backend.session\n'
        'config_file|string||2.0.0||{AIRFLOW_HOME}/webserver_config.py\n'
        'session_backend|string||2.0.0||database\n'
        'session_lifetime_minutes|integer||2.0.0||43200\n'
        'session_max_lifetime_minutes|integer||3.9.0||0\n'
        'enable_proxy_fix|boolean||2.1.0||False\n'
        'proxy_fix_x_for|integer||2.1.0||1\n'
        'proxy_fix_x_proto|integer||2.1.0||1\n'
        'proxy_fix_x_host|integer||2.1.0||1\n'
        'proxy_fix_x_port|integer||2.1.0||1\n'
        'proxy_fix_x_prefix|integer||2.1.0||1\n'
        'cache_ttl|integer||3.2.0||30\n'
        'auth_role_public|string||3.6.2||\n'
    ),
    'imap': ('apache_airflow_providers_imap-3.13.1',
        'ssl_context|string||3.3.0|\n'
    ),
    'informatica': ('apache_airflow_providers_informatica-0.2.2',
        'listener_disabled|boolean||||False\n'
        'default_conn_id|string||||informatica_edc_default\n'
        'auto_lineage_enabled|boolean||||True\n'
        'disabled_for_operators|string||||\n'
        'request_timeout|integer||||30\n'
    ),
    'providers.jdbc': ('apache_airflow_providers_jdbc-5.6.1',
        'allow_driver_path_in_extra|boolean||4.0.0||False\n'
        'allow_driver_class_in_extra|boolean||4.0.0||False\n'
    ),
    'keycloak_auth_manager': ('apache_airflow_providers_keycloak-0.11.2',
        'cache_ttl_seconds|integer||0.9.0||30\n'
        'cache_timeout_seconds|integer||0.9.0||60\n'
        'client_id|string||0.0.1|\n'
        'client_secret|string|s|0.0.1|\n'
        'jwt_federated_client_ids|string||0.10.0|\n'
        'realm|string||0.0.1|\n'
        'server_url|string||0.0.1||http://host.docker.internal:48080\n'
        'requests_pool_size|integer||0.4.0||10\n'
        'requests_retries|integer||0.4.0||3\n'
    ),
    'azure_remote_logging': ('apache_airflow_providers_microsoft_azure-15.2.1',
        'remote_wasb_log_container|string||8.0.0||airflow-logs\n'
    ),
    'openlineage': ('apache_airflow_providers_openlineage-2.20.3',
        'config_conn_id|string||||\n'
        'config_path|string||||\n'
        'custom_run_facets|string||1.10.0||\n'
        'dag_state_change_process_pool_size|integer||1.8.0||1\n'
        'debug_mode|boolean||1.11.0||False\n'
        'disable_source_code|boolean||||False\n'
        'disabled|boolean||||False\n'
        'disabled_for_operators|string||1.1.0||\n'
        'emission_policy|string||2.19.0||[]\n'
        'execution_timeout|integer||1.9.0||10\n'
        'execute_in_thread|boolean||2.20.0||False\n'
        'extractors|string|||\n'
        'include_full_task_info|boolean||1.10.0||False\n'
        'namespace|string|||\n'
        'selective_enable|boolean||1.7.0||False\n'
        'spark_inject_parent_job_info|boolean||2.0.0||False\n'
        'spark_inject_transport_info|boolean||2.1.0||False\n'
        'transport|string||||\n'
    ),
    'opensearch': ('apache_airflow_providers_opensearch-1.15.0',
        'host|string||1.5.0||\n'
        'port|integer||1.5.0||\n'
        'username|string|s|1.5.0||\n'
        'password|string|s|1.5.0||\n'
        'log_id_template|string||1.5.0||{dag_id}-{task_id}-{run_id}-{map_index}-{try_number}\n'
        'end_of_log_mark|string||1.5.0||end_of_log\n'
        'write_stdout|string||1.5.0||False\n'
        'write_to_os|string||1.9.0||False\n'
        'target_index|string||1.9.0||airflow-logs\n'
        'json_format|string||1.5.0||False\n'
        'json_fields|string||1.5.0||asctime, filename, lineno, levelname, message\n'
        'host_field|string||1.5.0||host\n'
        'offset_field|string||1.5.0||offset\n'
        'index_patterns|string||1.5.0||_all\n'
        'index_patterns_callable|string||1.5.0||\n'
    ),
    'opensearch_configs': ('apache_airflow_providers_opensearch-1.15.0',
        'http_compress|string||1.5.0||False\n'
        'use_ssl|string||1.5.0||False\n'
        'verify_certs|string||1.5.0||False\n'
        'ssl_assert_hostname|string||1.5.0||False\n'
        'ssl_show_warn|string||1.5.0||False\n'
        'ca_certs|string||1.5.0||\n'
    ),
    'snowflake': ('apache_airflow_providers_snowflake-6.20.0',
        'azure_oauth_scope|string||6.6.0||api://snowflake_oauth_server/.default\n'
    ),
    'standard': ('apache_airflow_providers_standard-1.21.0',
        'venv_install_method|string||||auto\n'
    ),
    'yandex': ('apache_airflow_providers_yandex-4.6.1',
        'sdk_user_agent_prefix|string||3.6.0||\n'
    ),
    'atlas': ('',
        'sasl_enabled|string||||False\n'
        'host|string||||\n'
        'port|string||||21000\n'
        'username|string||||\n'
        'password|string|s|||\n'
    ),
}

#: What Airflow keeps in code: older names that it still reads, choices, outdated values.
SUPPLEMENT: dict[str, dict[str, Any]] = {
    'dag_processor': {'options': {
        'dag_file_processor_timeout': {'renamed_from': [{'section': 'core', 'key': 'dag_file_processor_timeout', 'since': '3.0'}]},
        'refresh_interval': {'renamed_from': [{'section': 'scheduler', 'key': 'dag_dir_list_interval', 'since': '3.0'}]},
        'parsing_pre_import_modules': {'renamed_from': [{'section': 'scheduler', 'key': 'parsing_pre_import_modules', 'since': '3.0.4'}]},
        'file_parsing_sort_mode': {'choices': ['modified_time', 'random_seeded_by_host', 'alphabetical']},
    }},
    'api': {'options': {
        'base_url': {'renamed_from': [{'section': 'webserver', 'key': 'base_url', 'since': '3.0'}]},
        'host': {'renamed_from': [{'section': 'webserver', 'key': 'web_server_host', 'since': '3.0'}]},
        'port': {'renamed_from': [{'section': 'webserver', 'key': 'web_server_port', 'since': '3.0'}]},
        'workers': {'renamed_from': [{'section': 'webserver', 'key': 'workers', 'since': '3.0'}]},
        'worker_timeout': {'renamed_from': [{'section': 'webserver', 'key': 'web_server_worker_timeout', 'since': '3.0'}]},
        'ssl_cert': {'renamed_from': [{'section': 'webserver', 'key': 'web_server_ssl_cert', 'since': '3.0'}]},
        'ssl_key': {'renamed_from': [{'section': 'webserver', 'key': 'web_server_ssl_key', 'since': '3.0'}]},
        'access_logfile': {'renamed_from': [{'section': 'webserver', 'key': 'access_logfile', 'since': '3.0'}]},
        'expose_config': {'renamed_from': [{'section': 'webserver', 'key': 'expose_config', 'since': '3.0.1'}]},
        'secret_key': {'renamed_from': [{'section': 'webserver', 'key': 'secret_key', 'since': '3.0.2'}]},
        'enable_swagger_ui': {'renamed_from': [{'section': 'webserver', 'key': 'enable_swagger_ui', 'since': '3.0.2'}]},
        'grid_view_sorting_order': {'renamed_from': [{'section': 'webserver', 'key': 'grid_view_sorting_order', 'since': '3.1.0'}], 'choices': ['topological', 'hierarchical_alphabetical']},
        'log_fetch_timeout_sec': {'renamed_from': [{'section': 'webserver', 'key': 'log_fetch_timeout_sec', 'since': '3.1.0'}]},
        'hide_paused_dags_by_default': {'renamed_from': [{'section': 'webserver', 'key': 'hide_paused_dags_by_default', 'since': '3.1.0'}]},
        'page_size': {'renamed_from': [{'section': 'webserver', 'key': 'page_size', 'since': '3.1.0'}]},
        'default_wrap': {'renamed_from': [{'section': 'webserver', 'key': 'default_wrap', 'since': '3.1.0'}]},
        'auto_refresh_interval': {'renamed_from': [{'section': 'webserver', 'key': 'auto_refresh_interval', 'since': '3.1.0'}]},
        'require_confirmation_dag_change': {'renamed_from': [{'section': 'webserver', 'key': 'require_confirmation_dag_change', 'since': '3.1.0'}]},
        'instance_name': {'renamed_from': [{'section': 'webserver', 'key': 'instance_name', 'since': '3.1.0'}]},
        'log_config': {'renamed_from': [{'section': 'api', 'key': 'access_logfile', 'since': '3.1.0'}]},
        'fallback_page_limit': {'renamed_from': [{'section': 'api', 'key': 'page_size', 'since': '3.2.0'}]},
    }},
    'triggerer': {'options': {
        'capacity': {'renamed_from': [{'section': 'triggerer', 'key': 'default_capacity', 'since': '3.0'}]},
    }},
    'fab': {'options': {
        'access_denied_message': {'renamed_from': [{'section': 'webserver', 'key': 'access_denied_message', 'since': '3.0.2'}]},
        'expose_hostname': {'renamed_from': [{'section': 'webserver', 'key': 'expose_hostname', 'since': '3.0.2'}]},
        'navbar_color': {'renamed_from': [{'section': 'webserver', 'key': 'navbar_color', 'since': '3.0.2'}]},
        'navbar_text_color': {'renamed_from': [{'section': 'webserver', 'key': 'navbar_text_color', 'since': '3.0.2'}]},
        'navbar_hover_color': {'renamed_from': [{'section': 'webserver', 'key': 'navbar_hover_color', 'since': '3.0.2'}]},
        'navbar_text_hover_color': {'renamed_from': [{'section': 'webserver', 'key': 'navbar_text_hover_color', 'since': '3.0.2'}]},
    }},
    'core': {'options': {
        'num_dag_runs_to_retain_rendered_fields': {'renamed_from': [{'section': 'core', 'key': 'max_num_rendered_ti_fields_per_task', 'since': '3.2.0'}]},
        'execution_api_server_url': {'renamed_from': [{'section': 'workers', 'key': 'execution_api_server_url', 'since': '3.0'}]},
        'default_task_weight_rule': {'choices': ['absolute', 'downstream', 'upstream']},
        'dag_ignore_file_syntax': {'choices': ['regexp', 'glob']},
        'executor': {'deprecated_values': [{'pattern': 'SequentialExecutor', 'replacement': 'LocalExecutor', 'since': '3.0'}]},
    }},
    'scheduler': {'options': {
        'ti_metrics_interval': {'renamed_from': [{'section': 'scheduler', 'key': 'running_metrics_interval', 'since': '3.2.0'}]},
    }},
    'workers': {'options': {
        'missing_dag_retries': {'renamed_from': [{'section': 'workers', 'key': 'missing_dag_retires', 'since': '3.1.8'}]},
    }},
    'database': {'options': {
        'sql_alchemy_conn': {'renamed_from': [{'section': 'core', 'key': 'sql_alchemy_conn', 'since': '3.0'}], 'deprecated_values': [{'pattern': '^postgres(\\+psycopg2)?://', 'replacement': 'postgresql://', 'since': '3.0'}]},
    }},
    'logging': {'options': {
        'logging_level': {'choices': ['CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG']},
        'fab_logging_level': {'choices': ['CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG']},
        'celery_logging_level': {'choices': ['CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG', '']},
        'uvicorn_logging_level': {'choices': ['CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG']},
        'gunicorn_logging_level': {'choices': ['CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG']},
        'dag_processor_log_target': {'choices': ['file', 'stdout']},
        'log_filename_template': {'deprecated_values': [{'pattern': 'dag_id=\\{\\{\\ ti\\.dag_id\\ \\}\\}/run_id=\\{\\{\\ ti\\.run_id\\ \\}\\}/task_id=\\{\\{\\ ti\\.task_id\\ \\}\\}/\\{%\\ if\\ ti\\.map_index\\ >=\\ 0\\ %\\}map_index=\\{\\{\\ ti\\.map_index\\ \\}\\}/\\{%\\ endif\\ %\\}attempt=\\{\\{\\ try_number\\ \\}\\}\\.log', 'replacement': 'dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/{% if ti.map_index >= 0 %}map_index={{ ti.map_index }}/{% endif %}attempt={{ try_number|default(ti.try_number) }}.log', 'since': '3.0'}]},
    }},
    'webserver': {'options': {
        'analytical_tool': {'choices': ['google_analytics', 'metarouter', 'segment', 'matomo', '']},
    }},
}

#: Options of older releases that this one has no more: name|flags|the last release that had it.
OLDER: dict[str, str] = {
    'admin':
        'hide_sensitive_variable_fields||2.11.0;'
        'sensitive_variable_fields||2.11.0;',
    'api':
        'auth_backend||2.11.0;'
        'enable_experimental_api||2.11.0;'
        'google_key_path||2.11.0;'
        'google_oauth2_audience||2.11.0;'
        'access_control_allow_origin||2.11.0;'
        'auth_backends||2.11.0;'
        'enable_xcom_deserialize_support||3.0.0;'
        'access_logfile||3.3.2;'
        'page_size||3.3.2;',
    'celery':
        'celery_broker_url||1.10.15;'
        'celery_result_backend|s|1.10.15;'
        'celery_ssl_active||1.10.15;'
        'celery_ssl_cert||1.10.15;'
        'celery_ssl_key||1.10.15;'
        'celeryd_concurrency||1.10.15;'
        'default_queue||2.11.0;'
        'worker_log_server_port||2.11.0;'
        'task_adoption_timeout||2.5.3;'
        'stalled_task_timeout||2.5.3;',
    'cli':
        'api_client||2.11.0;'
        'endpoint_url||2.11.0;',
    'core':
        'base_log_folder||2.11.0;'
        'dag_concurrency||2.11.0;'
        'dag_processor_manager_log_location||2.11.0;'
        'donot_pickle||3.0.0;'
        'enable_xcom_pickling||2.11.0;'
        'encrypt_s3_logs||2.11.0;'
        'fab_logging_level||2.11.0;'
        'log_filename_template||2.11.0;'
        'log_format||2.11.0;'
        'log_processor_filename_template||2.11.0;'
        'logging_config_class||2.11.0;'
        'logging_level||2.11.0;'
        'non_pooled_task_slot_count||2.11.0;'
        'remote_base_log_folder||2.11.0;'
        'remote_log_conn_id||2.11.0;'
        'remote_logging||2.11.0;'
        'secure_mode||1.10.15;'
        'simple_log_format||2.11.0;'
        'sql_alchemy_conn|s|3.3.2;'
        'sql_alchemy_pool_enabled||2.11.0;'
        'sql_alchemy_pool_recycle||2.11.0;'
        'sql_alchemy_pool_size||2.11.0;'
        'sql_alchemy_reconnect_timeout||1.10.3;'
        'sql_alchemy_schema||2.11.0;'
        'sql_engine_encoding||2.11.0;'
        'task_log_reader||2.11.0;'
        'task_runner||2.11.0;'
        'worker_precheck||2.11.0;'
        'check_slas||2.11.0;'
        'colored_console_log||2.11.0;'
        'colored_formatter_class||2.11.0;'
        'colored_log_format||2.11.0;'
        'dag_file_processor_timeout||3.3.2;'
        'sql_alchemy_max_overflow||2.11.0;'
        'sql_alchemy_pool_pre_ping||2.11.0;'
        'store_serialized_dags||1.10.15;'
        'load_default_connections||2.11.0;'
        'max_num_rendered_ti_fields_per_task||3.3.2;'
        'min_serialized_dag_fetch_interval||3.1.8;'
        'sql_alchemy_connect_args||2.11.0;'
        'store_dag_code||2.1.4;'
        'max_db_retries||2.11.0;'
        'sql_engine_collation_for_ids||2.11.0;'
        'task_log_prefix_template||2.11.0;'
        'max_queued_runs_per_dag||2.1.4;'
        'dataset_manager_class||2.11.0;'
        'dataset_manager_kwargs|s|2.11.0;'
        'database_access_isolation||3.0.0;'
        'interleave_timestamp_parser||2.11.0;'
        'internal_api_url||3.0.0;'
        'strict_dataset_uri_validation||2.11.0;'
        'internal_api_secret_key|s|3.0.0;',
    'database':
        'load_default_connections||2.11.0;',
    'debug':
        'fail_fast||2.11.0;',
    'elasticsearch':
        'elasticsearch_end_of_log_mark||1.10.15;'
        'elasticsearch_host||1.10.15;'
        'elasticsearch_log_id_template||1.10.15;'
        'elasticsearch_frontend||1.10.15;'
        'elasticsearch_json_fields||1.10.15;'
        'elasticsearch_json_format||1.10.15;'
        'elasticsearch_write_stdout||1.10.15;',
    'github_enterprise':
        'api_rev||2.3.4;',
    'kubernetes':
        'affinity||1.10.15;'
        'airflow_configmap||1.10.15;'
        'dags_in_image||1.10.15;'
        'dags_volume_claim||1.10.15;'
        'dags_volume_host||1.10.15;'
        'dags_volume_subpath||1.10.15;'
        'delete_worker_pods||2.4.3;'
        'env_from_configmap_ref||1.10.15;'
        'env_from_secret_ref||1.10.15;'
        'fs_group||1.10.15;'
        'gcp_service_account_keys||1.10.15;'
        'git_branch||1.10.15;'
        'git_dags_folder_mount_point||1.10.15;'
        'git_password|s|1.10.15;'
        'git_repo||1.10.15;'
        'git_ssh_key_secret_name||1.10.15;'
        'git_ssh_known_hosts_configmap_name||1.10.15;'
        'git_subpath||1.10.15;'
        'git_sync_container_repository||1.10.15;'
        'git_sync_container_tag||1.10.15;'
        'git_sync_dest||1.10.15;'
        'git_sync_init_container_name||1.10.15;'
        'git_sync_root||1.10.15;'
        'git_user||1.10.15;'
        'image_pull_secrets||1.10.15;'
        'in_cluster||2.4.3;'
        'logs_volume_claim||1.10.15;'
        'logs_volume_host||1.10.15;'
        'logs_volume_subpath||1.10.15;'
        'namespace||2.4.3;'
        'run_as_user||1.10.15;'
        'tolerations||1.10.15;'
        'worker_container_image_pull_policy||1.10.15;'
        'worker_container_repository||2.4.3;'
        'worker_container_tag||2.4.3;'
        'worker_pods_creation_batch_size||2.4.3;'
        'worker_service_account_name||1.10.15;'
        'airflow_local_settings_configmap||1.10.15;'
        'cluster_context||2.4.3;'
        'config_file||2.4.3;'
        'git_sync_credentials_secret||1.10.15;'
        'git_sync_rev||1.10.15;'
        'git_sync_run_as_user||1.10.15;'
        'kube_client_request_args||2.4.3;'
        'dags_volume_mount_point||1.10.15;'
        'delete_option_kwargs||2.4.3;'
        'delete_worker_pods_on_failure||2.4.3;'
        'git_sync_depth||1.10.15;'
        'multi_namespace_mode||2.4.3;'
        'pod_template_file||2.4.3;'
        'enable_tcp_keepalive||2.4.3;'
        'tcp_keep_cnt||2.4.3;'
        'tcp_keep_idle||2.4.3;'
        'tcp_keep_intvl||2.4.3;'
        'verify_ssl||2.4.3;'
        'worker_pods_pending_timeout||2.4.3;'
        'worker_pods_pending_timeout_batch_size||2.4.3;'
        'worker_pods_pending_timeout_check_interval||2.4.3;'
        'worker_pods_queued_check_interval||2.4.3;',
    'kubernetes_executor':
        'worker_pods_pending_timeout||2.5.3;'
        'worker_pods_pending_timeout_batch_size||2.5.3;'
        'worker_pods_pending_timeout_check_interval||2.11.0;',
    'ldap':
        'basedn||1.10.15;'
        'bind_password|s|1.10.15;'
        'bind_user||1.10.15;'
        'cacert||1.10.15;'
        'data_profiler_filter||1.10.15;'
        'group_member_attr||1.10.15;'
        'ignore_malformed_schema||1.10.15;'
        'search_scope||1.10.15;'
        'superuser_filter||1.10.15;'
        'uri||1.10.15;'
        'user_filter||1.10.15;'
        'user_name_attr||1.10.15;',
    'lineage':
        'backend||3.1.8;',
    'logging':
        'colored_formatter_class||3.0.0;'
        'colored_log_format||3.0.0;'
        'dag_processor_manager_log_location||2.11.0;'
        'extra_loggers||2.1.4;'
        'log_processor_filename_template||2.11.0;'
        'enable_task_context_logger||2.11.0;'
        'dag_processor_manager_log_stdout||2.11.0;',
    'mesos':
        'authenticate||1.10.15;'
        'checkpoint||1.10.15;'
        'framework_name||1.10.15;'
        'master||1.10.15;'
        'task_cpu||1.10.15;'
        'task_memory||1.10.15;'
        'default_principal||1.10.15;'
        'default_secret|s|1.10.15;'
        'docker_image_slave||1.10.15;'
        'failover_timeout||1.10.15;',
    'metrics':
        'statsd_allow_list||2.11.0;'
        'statsd_block_list||2.11.0;'
        'metrics_use_pattern_match||2.11.0;'
        'timer_unit_consistency||2.11.0;',
    'operators':
        'allow_illegal_arguments||2.11.0;',
    'scheduler':
        'authenticate||1.10.15;'
        'child_process_log_directory||2.11.0;'
        'dag_dir_list_interval||3.3.2;'
        'max_threads||2.11.0;'
        'min_file_process_interval||2.11.0;'
        'print_stats_interval||2.11.0;'
        'run_duration||1.10.15;'
        'scheduler_zombie_task_threshold||2.11.0;'
        'statsd_host||2.11.0;'
        'statsd_on||2.11.0;'
        'statsd_port||2.11.0;'
        'statsd_prefix||2.11.0;'
        'allow_trigger_in_future||2.11.0;'
        'processor_poll_interval||2.11.0;'
        'statsd_allow_list||2.11.0;'
        'parsing_processes||2.11.0;'
        'clean_tis_without_dagrun_interval||2.1.4;'
        'schedule_after_task_execution||2.11.0;'
        'stat_name_handler||2.11.0;'
        'statsd_custom_client_path||2.11.0;'
        'statsd_datadog_enabled||2.11.0;'
        'statsd_datadog_tags||2.11.0;'
        'dependency_detector||2.3.4;'
        'file_parsing_sort_mode||2.11.0;'
        'deactivate_stale_dags_interval||2.11.0;'
        'max_callbacks_per_loop||2.11.0;'
        'standalone_dag_processor||2.11.0;'
        'zombie_detection_interval||2.11.0;'
        'dag_stale_not_seen_duration||3.0.0;'
        'parsing_pre_import_modules||3.3.2;'
        'stale_dag_threshold||2.11.0;'
        'statsd_datadog_metrics_tags||2.11.0;'
        'local_task_job_heartbeat_sec||2.11.0;'
        'running_metrics_interval||3.3.2;',
    'smart_sensor':
        'sensors_enabled||2.3.4;'
        'shard_code_upper_limit||2.3.4;'
        'shards||2.3.4;'
        'use_smart_sensor||2.3.4;',
    'smtp':
        'smtp_password|s|2.11.0;'
        'smtp_user||2.11.0;',
    'traces':
        'otel_task_log_event||2.11.0;',
    'triggerer':
        'default_capacity||3.3.2;',
    'webserver':
        'access_logfile||3.3.2;'
        'authenticate||1.10.15;'
        'base_url||3.3.2;'
        'cookie_samesite||2.11.0;'
        'cookie_secure||2.11.0;'
        'dag_default_view||2.11.0;'
        'dag_orientation||2.11.0;'
        'default_dag_run_display_number||2.11.0;'
        'demo_mode||2.0.2;'
        'enable_proxy_fix||2.11.0;'
        'error_logfile||2.11.0;'
        'expose_config||3.3.2;'
        'filter_by_owner||1.10.15;'
        'hide_paused_dags_by_default||3.3.2;'
        'log_fetch_timeout_sec||3.3.2;'
        'navbar_color||3.3.2;'
        'owner_mode||1.10.15;'
        'page_size||3.3.2;'
        'rbac||1.10.15;'
        'secret_key|s|3.3.2;'
        'web_server_host||3.3.2;'
        'web_server_master_timeout||2.11.0;'
        'web_server_port||3.3.2;'
        'web_server_ssl_cert||3.3.2;'
        'web_server_ssl_key||3.3.2;'
        'web_server_worker_timeout||3.3.2;'
        'worker_class||2.11.0;'
        'worker_refresh_batch_size||2.11.0;'
        'worker_refresh_interval||2.11.0;'
        'workers||3.3.2;'
        'analytics_id||2.11.0;'
        'analytics_tool||2.11.0;'
        'default_wrap||3.3.2;'
        'expose_hostname||3.3.2;'
        'expose_stacktrace||2.11.0;'
        'force_log_out_after||1.10.12;'
        'log_animation_speed||2.11.0;'
        'log_auto_tailing_offset||2.11.0;'
        'log_fetch_delay_sec||2.11.0;'
        'proxy_fix_x_for||2.11.0;'
        'proxy_fix_x_host||2.11.0;'
        'proxy_fix_x_port||2.11.0;'
        'proxy_fix_x_prefix||2.11.0;'
        'proxy_fix_x_proto||2.11.0;'
        'session_lifetime_days||1.10.12;'
        'update_fab_perms||2.11.0;'
        'x_frame_enabled||3.0.0;'
        'default_ui_timezone||2.11.0;'
        'reload_on_plugin_change||2.11.0;'
        'session_lifetime_minutes||2.11.0;'
        'access_logformat||2.11.0;'
        'show_recent_stats_for_completed_runs||2.11.0;'
        'instance_name||3.3.2;'
        'auto_refresh_interval||3.3.2;'
        'session_backend||2.11.0;'
        'audit_view_excluded_events||3.0.0;'
        'audit_view_included_events||3.0.0;'
        'instance_name_has_markup||3.0.0;'
        'warn_deployment_exposure||3.0.0;'
        'auth_rate_limit||2.11.0;'
        'auth_rate_limited||2.11.0;'
        'caching_hash_method||2.11.0;'
        'enable_swagger_ui||3.3.2;'
        'run_internal_api||2.11.0;'
        'access_denied_message||3.3.2;'
        'config_file||2.11.0;'
        'grid_view_sorting_order||3.3.2;'
        'show_trigger_form_if_no_params||2.11.0;'
        'allow_raw_html_descriptions||2.11.0;'
        'allowed_payload_size||2.11.0;'
        'navbar_text_color||3.3.2;'
        'analytics_url||2.11.0;'
        'navbar_hover_color||3.3.2;'
        'navbar_logo_text_color||2.11.0;'
        'navbar_text_hover_color||3.3.2;'
        'num_recent_configurations_for_trigger||2.11.0;'
        'require_confirmation_dag_change||3.3.2;'
        'max_form_memory_size||2.11.0;'
        'max_form_parts||2.11.0;',
    'workers':
        'missing_dag_retires||3.3.2;'
        'execution_api_server_url||3.3.2;',
}
