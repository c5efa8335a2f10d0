"""Short ways to write configs, and what a correct one looks like."""

from pathlib import Path
from typing import Any

SECRET = "0123456789abcdef0123456789abcdef"
AUTHORITY = Path(__file__).with_name("authority.pem")


def backend(host: str = "https://backend.example", port: int = 8443, **more: Any) -> dict[str, Any]:
    """Make a backend that gives no cause for warnings."""
    return {"host": host, "port": port, **more}


def router(external_path: str = "/a", **changes: Any) -> dict[str, Any]:
    """Make a router that gives no cause for warnings; None leaves a key out."""
    usual = {"external_path": external_path, "internal_path": "/b", "methods": ["GET"], "backends": [backend()]}
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def config(*routers: Any, **more: Any) -> dict[str, Any]:
    """Make a config; without routers it has a single correct one."""
    return {"version": 1, "routers": list(routers or [router()]), **more}


STRICT: dict[str, Any] = {
    "version": 1,
    "server": {
        "host": "127.0.0.1",
        "port": 5900,
        "tls": {"cert_file": "one.pem", "key_file": "one.key", "ocsp": None, "ocsp_stapling": False},
        "listeners": [
            {
                "host": "::1",
                "port": 8443,
                "tls": {
                    "certificates": [{"cert_file": "a.pem", "key_file": "a.key", "hosts": ["*.example", "b.test"]}],
                    "min_version": "1.2",
                    "client_ca": "ca.pem",
                    "client_auth": "required",
                    "ciphers": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
                },
                "proxy_protocol": True,
            },
            {"port": 8080, "redirect_to_https": True},
            {"unix": "kairos.sock", "mode": "0600", "proxy_protocol": False},
            {"systemd": "kairos.socket", "redirect_to_https": 443},
        ],
        "workers": 2,
        "trusted_proxies": ["10.0.0.0/8", "2001:db8::/32", "unix:"],
        "via": "kairos",
        "forwarded": True,
    },
    "logging": {"level": "info", "access_log": "stdout"},
    "builtin_routes": "/_kairos",
    "jwt": {
        "secret": SECRET,
        "issuer": "kairos-gateway",
        "audience": "api-clients",
        "required_claims": ["sub", "exp"],
    },
    "rate_limit": {
        "strategy": {
            "Composite": [
                {
                    "strategy": "PerIP",
                    "requests_per_window": 100,
                    "window_duration": 60,
                    "burst_allowance": 20,
                    "window_type": "SlidingWindow",
                    "header": "X-API-Key",
                    "dry_run": False,
                    "enable_redis": False,
                    "redis_key_prefix": "kairos_rl",
                }
            ]
        },
        "requests_per_window": 100,
        "window_duration": 60,
        "burst_allowance": 20,
        "window_type": "TokenBucket",
        "header": "X-API-Key",
        "dry_run": False,
        "enable_redis": False,
        "redis_key_prefix": "kairos_rl",
    },
    "ai": {"provider": "openai", "model": "gpt-4o", "api_key": "sk-of-the-operator"},
    "metrics": {"enabled": True, "path": "/metrics"},
    "cors": {"allowed_origins": ["*"], "allowed_methods": ["GET"], "allowed_headers": ["Accept"], "max_age": 3600},
    "request_checks": {"blocked_user_agents": ["sqlmap"], "allowed_content_types": ["application/json"]},
    "security_headers": {
        "x_frame_options": "DENY",
        "referrer_policy": "no-referrer",
        "strict_transport_security": "max-age=60",
        "content_security_policy": "default-src 'self'",
        "permissions_policy": "camera=()",
        "cross_origin_opener_policy": "same-origin",
        "cross_origin_resource_policy": "same-site",
    },
    "limits": {
        "max_request_body_bytes": 1024,
        "max_header_bytes": 4096,
        "max_headers": 50,
        "max_target_bytes": 2048,
        "max_requests_per_worker": 1000,
        "max_connections_per_worker": 5000,
        "max_response_header_bytes": 16384,
        "rate_limit_memory_bytes": 16777216,
    },
    "timeouts": {
        "request_head_seconds": 10,
        "client_idle_seconds": 30.5,
        "body_stall_seconds": 20,
        "min_body_rate": 256,
        "connect_seconds": 0.5,
        "tls_handshake_seconds": 2,
        "response_head_seconds": 5,
        "exchange_seconds": 8,
        "response_stall_seconds": 7,
        "upstream_idle_seconds": 3,
        "learn_keep_alive": False,
        "upstream_life_seconds": 600,
        "upstream_requests": 500,
    },
    "discovery": {"resolver": ["10.0.0.2", "[2001:db8::2]:5353"], "min_ttl": 2, "max_ttl": 30.5, "ipv": "4"},
    "access_list": {"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]},
    "websocket": {"max_frame_bytes": 1000},
    "routers": [
        {"external_path": "/legacy", "internal_path": "/", "methods": ["GET"], "host": "http://one", "port": 8080},
        {
            "external_path": "/api/users/{id}",
            "internal_path": "/v1/user/{id}?src=gw",
            "methods": ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"],
            "hosts": ["example.com", "*.example.com"],
            "protocol": "http",
            "load_balancing_strategy": "consistent_hash",
            "hash_on": {"header": "X-User"},
            "balance_factor": 1.5,
            "sticky": {"cookie": "backend", "ttl_seconds": 3600, "secret": SECRET},
            "trailing_slash": "ignore",
            "empty_segments": "refuse",
            "auth_required": True,
            "preserve_host": True,
            "limits": {
                "max_request_body_bytes": 2048,
                "max_header_bytes": 2048,
                "max_headers": 20,
                "max_target_bytes": 1024,
            },
            "timeouts": {
                "body_stall_seconds": 21,
                "min_body_rate": 0,
                "connect_seconds": 1,
                "response_head_seconds": 6,
                "exchange_seconds": 9.5,
                "response_stall_seconds": 0,
            },
            "backends": [
                {"host": "http://a", "port": 8080, "weight": 2, "state": "drain", "health_check_path": "/health"},
                {
                    "host": "https://b",
                    "port": 8443,
                    "tls": {"verify": True, "ca_file": str(AUTHORITY), "server_name": "b.example"},
                },
            ],
            "retry": {
                "max_retries": 3,
                "initial_backoff_ms": 100,
                "max_backoff_ms": 5000,
                "backoff_multiplier": 2.0,
                "retry_on_status_codes": [502, 503, 504],
                "retry_on_connection_error": True,
            },
            "health_check": {
                "path": "/healthz?full=1",
                "tcp_only": False,
                "interval_seconds": 2.5,
                "timeout_seconds": 1,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "expected_statuses": [200, "301-302"],
                "body_contains": "ok",
                "host": "well.example:81",
                "headers": [{"name": "X-Probe", "value": "kairos, for one"}],
            },
            "slow_start_seconds": 30,
            "circuit_breaker": {"failure_threshold": 5, "success_threshold": 3, "timeout_ms": 30000},
            "access_list": {"allow": ["10.2.0.0/16"], "deny": []},
            "request_checks": {"blocked_user_agents": [], "allowed_content_types": ["Text/*"]},
            "cors": {
                "enabled": True,
                "allowed_origins": ["https://app.example.com", "https://*.example.org"],
                "allowed_origin_patterns": ["https://pr-[0-9]+[.]example[.]net"],
                "allowed_methods": ["*"],
                "allowed_headers": ["*"],
                "exposed_headers": ["X-Total"],
                "allow_credentials": True,
                "max_age": 60,
                "allow_private_network": True,
            },
            "security_headers": {"x_frame_options": "SAMEORIGIN", "content_security_policy": False},
            "compression": {
                "enabled": True,
                "algorithms": ["gzip", "br"],
                "types": ["text/*", "Application/*+JSON"],
                "min_bytes": 100,
                "levels": {"br": 5, "zstd": 4, "gzip": 9},
                "event_streams": True,
            },
            "request_transformation": {
                "headers": [
                    {"action": "add", "name": "X-Forwarded-By", "value": "kairos"},
                    {"action": "replace", "name": "User-Agent", "pattern": "Mozilla/(.)", "replacement": "Kairos/$1"},
                ],
                "path": {"pattern": "^/api/v1/(.+)$", "replacement": "/v2/$1"},
                "query_params": [{"action": "set", "name": "format", "value": "json"}],
                "json_body": {
                    "rules": [
                        {"action": "set", "pointer": "/a/b", "value": [1, None, "c"]},
                        {"action": "rename", "pointer": "/user~1name", "to": "/user/name"},
                    ],
                    "max_bytes": 1000,
                    "otherwise": "fail",
                },
            },
            "response_transformation": {
                "headers": [{"action": "remove", "name": "Server"}],
                "status_code_mappings": [{"from": 404, "to": 200, "condition": "method == GET"}],
                "json_body": {"rules": [{"action": "remove", "pointer": "/secret"}]},
            },
            "ai_policy": {
                "enabled": True,
                "strategy": {"content_analysis": {"model": "gpt-4o-mini"}},
                "provider": "openai",
                "fallback_backend_index": 0,
            },
        },
        {
            "external_path": "/chat",
            "internal_path": "/ws",
            "methods": ["GET"],
            "protocol": "websocket",
            "upgrade": False,
            "websocket": {
                "max_connections": 1000,
                "max_frame_bytes": 65_536,
                "max_message_bytes": 1_048_576,
                "idle_timeout_seconds": 600,
                "max_lifetime_seconds": 86_400,
                "ping_interval_seconds": 30,
                "pong_timeout_seconds": 7.5,
                "close_after_removal_seconds": 60,
            },
            "backends": [{"host": "ws://ws-backend", "port": 3000}],
        },
        {
            "external_path": "/ftp/{rest...}",
            "internal_path": "/{rest...}",
            "methods": ["GET", "MKCOL", "MOVE"],
            "protocol": "ftp",
            "backends": [{"host": "ftp://ftp.example.com", "port": 21}, {"host": "ftp.example.org", "port": 21}],
        },
        {
            "external_path": "/dns",
            "internal_path": "/",
            "methods": ["POST"],
            "protocol": "dns",
            "backends": [{"host": "8.8.8.8", "port": 53}, {"host": "dns://[2001:4860:4860::8888]", "port": 53}],
        },
    ],
}
"""A config that uses every key there is."""
