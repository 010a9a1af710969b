package firewall

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// record is what Masquerade did, as Remove needs to know it.
type record struct {
	network
	tool      tool   // nil: nothing was done
	ipForward string // what net.ipv4.ip_forward was before we changed it, "" if we did not
}

func recordFile(dir string) string { return filepath.Join(dir, "firewall") }

func newRecordFile(dir string) string { return recordFile(dir) + ".new" }

// readRecord reads what write wrote.
func readRecord(dir string) (record, error) {
	text, err := os.ReadFile(recordFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("firewall: %w", err)
	}
	var r record
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tool":
			r.tool = toolAt(value)
		case "prefix":
			r.prefix, err = netip.ParsePrefix(value)
		case "bridge":
			r.bridge = value
		case "ip_forward":
			r.ipForward = value
		}
		if err != nil {
			return record{}, fmt.Errorf("firewall: %s: %w", recordFile(dir), err)
		}
	}
	return r, nil
}

// toolAt is the tool whose program has that path.
func toolAt(path string) tool {
	if filepath.Base(path) == "nft" {
		return nft{path}
	}
	return iptables{path}
}

// write replaces the record in one piece.
func (r record) write(dir string) error {
	text := fmt.Sprintf("tool %s\nprefix %s\nbridge %s\n", r.tool.name(), r.prefix, r.bridge)
	if r.ipForward != "" {
		text += "ip_forward " + r.ipForward + "\n"
	}
	temporary := newRecordFile(dir)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(temporary, []byte(text), 0o600)
	}
	if err == nil {
		err = os.Rename(temporary, recordFile(dir))
	}
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	return nil
}

// ipForwardFile is the kernel's switch: 1 lets the host pass on packets that are not for it.
const ipForwardFile = "/proc/sys/net/ipv4/ip_forward"

// forward lets the host pass on packets, and records what was before.
func (r record) forward(dir string) error {
	now, err := os.ReadFile(ipForwardFile)
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	if r.ipForward = strings.TrimSpace(string(now)); r.ipForward == "1" {
		return nil
	}
	if err := r.write(dir); err != nil {
		return err
	}
	return writeIPForward("1")
}

// restoreForward puts back what forward changed, unless another has rules for
// what is forwarded: it found forwarding switched on, and may rely on it.
func (r record) restoreForward(known chains) error {
	if r.ipForward == "" || known.forwardingOfOthers() || legacyInUse() {
		return nil
	}
	return writeIPForward(r.ipForward)
}

func writeIPForward(value string) error {
	// Without O_CREATE and O_TRUNC: the file is the kernel's.
	f, err := os.OpenFile(ipForwardFile, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("firewall: set net.ipv4.ip_forward to %s: %w: containers do not reach beyond this host; as root: sysctl -w net.ipv4.ip_forward=%[1]s", value, err)
	}
	return nil
}
