package publish

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	local, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for text, want := range map[string]Mapping{
		"8080:80":               {netip.Addr{}, 8080, 80, "tcp"},
		"8080:80/tcp":           {netip.Addr{}, 8080, 80, "tcp"},
		"53:5353/udp":           {netip.Addr{}, 53, 5353, "udp"},
		"127.0.0.1:65535:1":     {local, 65535, 1, "tcp"},
		"[::1]:8080:80/udp":     {six, 8080, 80, "udp"},
		"0.0.0.0:8080:8080/tcp": {netip.IPv4Unspecified(), 8080, 8080, "tcp"},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%s: printed as %s, which is read as %+v, %v", text, got, again, err)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "two ports are needed",
		"80":                  "two ports are needed",
		"8080:":               `the container's port "" is no number from 1 to 65535`,
		":80":                 `the host's port "" is no number`,
		"0:80":                `the host's port "0"`,
		"8080:65536":          `the container's port "65536"`,
		"8080:-1":             `the container's port "-1"`,
		"8000-8010:80":        `the host's port "8000-8010"`,
		"8080:80/sctp":        `the protocol "sctp" is neither tcp nor udp`,
		"8080:80/":            `the protocol "" is neither`,
		"localhost:8080:80":   `"localhost" is no IP address`,
		"::1:8080:80":         `"::1" is no IP address, as 127.0.0.1 or [::1] are`,
		"[127.0.0.1]:8080:80": `"[127.0.0.1]" is no IP address`,
		"[::1:8080:80":        `"[::1" is no IP address`,
		":8080:80":            `"" is no IP address`,
		"[fe80::1%eth0]:1:1":  "is no IP address",
	} {
		if m, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "-p "+text+": ") {
			t.Errorf("%q: %+v, %v, want an error that says %q", text, m, err, want)
		}
	}
}
