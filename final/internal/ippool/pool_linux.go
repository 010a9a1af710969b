// Package ippool hands out the addresses of the containers' network, each to
// one container at a time, however many ask at once.
//
// The pool is a folder on the host: a lock, and a file that says which range
// the network has and who holds which address. Whoever opened the pool holds
// the lock (flock(2)) until Close; the kernel releases it when they die. The
// file is replaced in one piece by rename(2), so whoever dies halfway leaves
// the old one. It survives the death of its writer, but not of the machine: the
// folder belongs on a tmpfs such as /run, as the network ends with the machine too.
//
// What else must not happen twice at once, such as making the bridge for the
// first container and removing it after the last, can be done while the pool is open.
package ippool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Pool is an open pool, locked until Close.
type Pool struct {
	dir   string
	lock  *os.File
	state state
}

// Lease is an address that is in use.
type Lease struct {
	Address netip.Addr
	ID      string // of the container that holds it
}

// state is what the file holds.
type state struct {
	network netip.Prefix // not valid: none chosen
	last    netip.Addr   // handed out last: the search for the next begins behind it
	leases  []Lease
}

// Open opens the pool in dir, making the folder where it is missing, and waits
// while another process has it open.
func Open(dir string) (*Pool, error) {
	for {
		p, err := lock(dir)
		if err != nil {
			return nil, fmt.Errorf("address pool %s: %w", dir, err)
		}
		if !p.isCurrent() {
			p.lock.Close() // Forget removed the file that we waited for
			continue
		}
		if p.state, err = read(p.file()); err != nil {
			p.lock.Close()
			return nil, fmt.Errorf("address pool: %w: without containers on the network it can be removed: rm -r %s", err, dir)
		}
		return p, nil
	}
}

func lock(dir string) (*Pool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return lock(dir) // Forget removed the folder in between
	}
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return &Pool{dir: dir, lock: f}, nil
		}
		if err != unix.EINTR {
			f.Close()
			return nil, fmt.Errorf("flock %s: %w", f.Name(), err)
		}
	}
}

// isCurrent says whether the locked file is still the one that others will lock.
func (p *Pool) isCurrent() bool {
	ours, err := p.lock.Stat()
	current, err2 := os.Stat(p.lock.Name())
	return err == nil && err2 == nil && os.SameFile(ours, current)
}

// Lock is the lock that is held until Close, and until every process that has
// inherited it has ended.
func (p *Pool) Lock() *os.File { return p.lock }

// Close lets the next one in.
func (p *Pool) Close() error { return p.lock.Close() }

func (p *Pool) file() string { return filepath.Join(p.dir, "leases") }

func (p *Pool) newFile() string { return p.file() + ".new" }

// Network is the range of the pool, not valid while none is chosen.
func (p *Pool) Network() netip.Prefix { return p.state.network }

// Leases lists the addresses in use.
func (p *Pool) Leases() []Lease { return slices.Clone(p.state.leases) }

// Gateway is the host's own address in a network, its first.
func Gateway(network netip.Prefix) netip.Addr { return network.Masked().Addr().Next() }

// Candidates are ranges for private use (RFC 1918), chosen among those that
// neither Docker, Podman, libvirt nor Kubernetes take by default.
func Candidates() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.203.0.0/16"),
		netip.MustParsePrefix("10.77.0.0/16"),
		netip.MustParsePrefix("172.30.0.0/16"),
		netip.MustParsePrefix("192.168.203.0/24"),
	}
}

// Choose gives the pool the first of the IPv4 ranges that overlaps none in use
// on the host, and remembers it. A pool that has one already keeps it.
func (p *Pool) Choose(candidates, used []netip.Prefix) (netip.Prefix, error) {
	if p.state.network.IsValid() {
		return p.state.network, nil
	}
	for _, candidate := range candidates {
		if !overlapsAny(candidate, used) {
			next := p.state
			next.network = candidate.Masked()
			return next.network, p.write(next)
		}
	}
	return netip.Prefix{}, fmt.Errorf("address pool: this machine uses a part of each of %v (see `ip route`): no range is left for the containers' network; -network none or -network host works without one", candidates)
}

// overlapsAny ignores the shortest prefixes: 0.0.0.0/1 and its like are a default
// route in disguise, as VPNs make them, and not a network of this machine.
func overlapsAny(candidate netip.Prefix, used []netip.Prefix) bool {
	const shortest = 8
	return slices.ContainsFunc(used, func(u netip.Prefix) bool {
		return u.Bits() >= shortest && u.Overlaps(candidate)
	})
}

// Lease hands out an address to the container id, the same one again when it
// has one. An address that was given back rests until the others had their turn.
func (p *Pool) Lease(id string) (netip.Addr, error) {
	if err := checkID(id); err != nil {
		return netip.Addr{}, err
	}
	if i := slices.IndexFunc(p.state.leases, func(l Lease) bool { return l.ID == id }); i >= 0 {
		return p.state.leases[i].Address, nil
	}
	address, err := p.free()
	if err != nil {
		return netip.Addr{}, err
	}
	next := p.state
	next.last = address
	next.leases = append(slices.Clone(next.leases), Lease{address, id})
	return address, p.write(next)
}

// free finds the next address that nobody has.
func (p *Pool) free() (netip.Addr, error) {
	network := p.state.network
	if !network.IsValid() {
		return netip.Addr{}, errors.New("address pool: no range has been chosen")
	}
	taken := map[netip.Addr]bool{network.Addr(): true, Gateway(network): true}
	for _, l := range p.state.leases {
		taken[l.Address] = true
	}
	address := p.state.last
	for range 1 << (network.Addr().BitLen() - network.Bits()) {
		if address = address.Next(); !network.Contains(address) {
			address = network.Addr()
		}
		isBroadcast := !network.Contains(address.Next())
		if !taken[address] && !isBroadcast {
			return address, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("address pool: all addresses of %s are in use: remove a container", network)
}

// Release takes back the address of the container id. Where it has none,
// nothing happens.
func (p *Pool) Release(id string) error {
	next := p.state
	next.leases = slices.DeleteFunc(slices.Clone(next.leases), func(l Lease) bool { return l.ID == id })
	if len(next.leases) == len(p.state.leases) {
		return nil
	}
	return p.write(next)
}

// Forget removes the pool from the disk, once its network is gone. An address
// in use is an error. The pool is still to be closed.
func (p *Pool) Forget() error {
	if n := len(p.state.leases); n > 0 {
		return fmt.Errorf("address pool %s: %d addresses are in use", p.dir, n)
	}
	p.state = state{}
	for _, name := range []string{p.newFile(), p.file(), p.lock.Name()} { // the lock last: it guards the rest
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("address pool: %w", err)
		}
	}
	_ = os.Remove(p.dir) // stays when it holds anything else, or someone waits at the lock
	return nil
}

// checkID refuses what would not fit on a line of the file.
func checkID(id string) error {
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' }) {
		return fmt.Errorf("address pool: %q is no container id", id)
	}
	return nil
}

// write replaces the file with s, in one piece.
func (p *Pool) write(s state) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "network %s\n", s.network)
	if s.last.IsValid() {
		fmt.Fprintf(&b, "last %s\n", s.last)
	}
	for _, l := range s.leases {
		fmt.Fprintf(&b, "%s %s\n", l.Address, l.ID)
	}
	temporary := p.newFile() // one name is enough: the lock is ours
	if err := os.WriteFile(temporary, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("address pool: %w", err)
	}
	if err := os.Rename(temporary, p.file()); err != nil {
		return fmt.Errorf("address pool: %w", err)
	}
	p.state = s
	return nil
}

// read reads what write wrote; no file is an empty pool.
func read(file string) (s state, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := s.add(lines.Text()); err != nil {
			return state{}, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	return s, lines.Err()
}

// add adds what a line of the file says.
func (s *state) add(line string) (err error) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "network":
		s.network, err = netip.ParsePrefix(value)
	case "last":
		s.last, err = netip.ParseAddr(value)
	default:
		l := Lease{ID: value}
		if l.Address, err = netip.ParseAddr(key); err == nil {
			err = checkID(value)
		}
		s.leases = append(s.leases, l)
	}
	return err
}
