"""nginx.conf: what limit_req and limit_conn allow, and to which requests."""
