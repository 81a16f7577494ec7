# Varnish 6 or newer as a shared cache in front of Headwater: varnishd -f headwater.vcl. docs/cdn.md says why each line is as
# it is; test/proxy.test.ts runs this very file.
vcl 4.1;

backend headwater {
    .host = "127.0.0.1";
    .port = "8080";
    # Headwater holds a blocking request for three target durations: 30 s where segments are 10 s long.
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
}

sub vcl_recv {
    if (req.url ~ "^/streams/[\w-]+/([\w-]+/)?[\w.-]+\.(m3u8|mpd|m4s|mp4)(\?|$)") {
        # Media is the same for all, also for who is logged in to the studio.
        unset req.http.Cookie;
        unset req.http.Authorization;
        if (req.url ~ "\.(m4s|mp4)\?") {
            # Names never mean other bytes, whatever the query.
            set req.url = regsub(req.url, "\?.*$", "");
        }
        if (req.method == "GET" || req.method == "HEAD") {
            return (hash);
        }
    }
    # Studio, API, time, watch pages.
    return (pass);
}

sub vcl_backend_response {
    # Nothing is served after the time that Headwater gave it; for a while more it is asked whether it has changed.
    set beresp.grace = 0s;
    set beresp.keep = 10s;
    if (bereq.uncacheable) {
        return (deliver);
    }
    if (beresp.ttl <= 0s || beresp.http.Cache-Control ~ "no-store") {
        # A refusal concerns one moment: all who come later wait together again.
        set beresp.ttl = 1s;
        set beresp.uncacheable = true;
    }
    return (deliver);
}
