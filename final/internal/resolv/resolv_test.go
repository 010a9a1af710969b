package resolv

import (
	"os"
	"path/filepath"
	"testing"
)

func TestResolvConf(t *testing.T) {
	const (
		stub  = "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\nsearch example.org\n"
		plain = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org\n"
	)
	tests := map[string]struct {
		file, behind string // "" for no such file
		want         string
	}{
		"reachable servers":         {plain, "nameserver 192.0.2.1\n", plain},
		"a link-local one":          {"nameserver fe80::1%eth0\n", "", "nameserver fe80::1%eth0\n"},
		"systemd-resolved":          {stub, plain, plain},
		"nothing behind the stub":   {stub, "", "# by systemd-resolved\noptions edns0\nsearch example.org\n" + none},
		"only loopback behind":      {stub, "nameserver ::1\n", "# by systemd-resolved\noptions edns0\nsearch example.org\n" + none},
		"dnsmasq and another":       {"nameserver 127.0.0.1\nnameserver 192.0.2.53", "", "nameserver 192.0.2.53\n"},
		"loopback in IPv6's words":  {"nameserver ::ffff:127.0.0.1\nnameserver ::1\n", "", none},
		"a comment is no server":    {"#nameserver 127.0.0.53\nnameserver 192.0.2.53\n", "", "#nameserver 127.0.0.53\nnameserver 192.0.2.53\n"},
		"no server means localhost": {"search example.org\n", "", "search example.org\n" + none},
		"no file":                   {"", "", none},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			host := t.TempDir()
			for path, text := range map[string]string{"etc/resolv.conf": test.file, behindResolved: test.behind} {
				if text == "" {
					continue
				}
				os.MkdirAll(filepath.Dir(filepath.Join(host, path)), 0o755)
				if err := os.WriteFile(filepath.Join(host, path), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := ResolvConf(host); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}
