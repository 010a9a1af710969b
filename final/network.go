//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/firewall"
	"gonsrun/final/internal/ippool"
	"gonsrun/final/internal/netlink"
	"gonsrun/final/internal/publish"
	"gonsrun/final/internal/resolv"
	"gonsrun/final/internal/state"
)

// bridge is the switch that all containers of this machine are plugged into.
// It is there while there are any.
const bridge = "gonsrun0"

// Network is how the container reaches others. It has no counterpart in the
// OCI runtime-spec, which leaves networks to hooks.
type Network struct {
	Mode    string   `json:"mode"` // none, host or bridge
	Address string   `json:"address,omitempty"`
	Gateway string   `json:"gateway,omitempty"`
	Ports   []string `json:"ports,omitempty"` // as -p has them

	Unasked bool `json:"unasked,omitempty"` // nobody asked for it: a kernel without bridges is no reason to fail
}

// networkDir holds the pool of addresses and what was done to the firewall.
// What is in it concerns all containers.
func networkDir() string { return state.Root() + "-network" }

// ports reads -p.
func (o *options) ports(spec *Spec) error {
	for _, given := range o.publish {
		mapping, err := publish.Parse(given)
		if err != nil {
			return err
		}
		spec.Network.Ports = append(spec.Network.Ports, mapping.String())
	}
	return nil
}

// listen opens the published ports, before anything is made: one that is in
// use is known in time.
func (n Network) listen() (*publish.Forwarder, error) {
	var mappings []publish.Mapping
	for _, port := range n.Ports {
		mapping, err := publish.Parse(port)
		if err != nil {
			return nil, err
		}
		mappings = append(mappings, mapping)
	}
	return publish.Listen(mappings)
}

// connect gives the container its network, as far as that is made on the host.
func (c *container) connect() error {
	switch mode := c.spec.Network.Mode; {
	case !c.spec.has("net"): // also -without net
		note("The network is the host's.")
	case mode == "none" && rootless():
		note("Only the loopback interface: final makes a way out of this network namespace only as root.")
	case mode == "none":
		note("Only the loopback interface.")
	default:
		return c.joinBridge()
	}
	return nil
}

// joinBridge plugs the container into the bridge: a veth pair has one end there
// and the other in the container's network namespace.
func (c *container) joinBridge() error {
	pool, err := ippool.Open(networkDir())
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := netlink.Open()
	if err != nil {
		return err
	}
	defer conn.Close()

	addresses, err := conn.Addresses()
	if err != nil {
		return err
	}
	network, err := chooseNetwork(conn, pool, addresses)
	if err != nil {
		return err
	}
	address, err := pool.Lease(c.state.ID)
	if err != nil {
		return err
	}
	n := &c.spec.Network
	n.Address = netip.PrefixFrom(address, network.Bits()).String()
	n.Gateway = ippool.Gateway(network).String()
	if err := c.dir.Save("config", c.spec); err != nil {
		return err
	}
	if err := makeBridge(conn, network, addresses); err != nil {
		if n.Unasked && errors.Is(err, unix.EOPNOTSUPP) {
			return c.stayAlone(pool, explainLink(err))
		}
		return explainLink(err)
	}
	if err := c.plugIn(pool, conn, network, address); err != nil {
		return explainLink(err)
	}
	if c.forwarder != nil {
		c.forwarder.Serve(address)
	}
	// Held open, the namespace and its cable are there until we remove the cable.
	c.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", c.state.PID))
	return err
}

// stayAlone gives the address back, and leaves the container with its loopback
// interface.
func (c *container) stayAlone(pool *ippool.Pool, reason error) error {
	note("Only the loopback interface: %v", reason)
	c.spec.Network = Network{Mode: "none"}
	if err := pool.Release(c.state.ID); err != nil {
		return err
	}
	if len(pool.Leases()) == 0 {
		if err := pool.Forget(); err != nil {
			return err
		}
	}
	return c.dir.Save("config", c.spec)
}

// plugIn makes the container's cable, while the firewall's tool makes the rules.
func (c *container) plugIn(pool *ippool.Pool, conn *netlink.Conn, network netip.Prefix, address netip.Addr) (plugged error) {
	err := firewall.Masquerade(networkDir(), pool.Lock(), network, bridge, func() {
		plugged = conn.NewVeth(netlink.Veth{
			Name: c.veth(), Bridge: bridge,
			PeerName: "eth0", PeerHardware: netlink.Hardware(address), PID: c.state.PID,
		})
	})
	if err != nil {
		note("No way out of the machine: %v", err)
	}
	return plugged
}

// veth is the name of the host's end of the container's cable, 15 bytes at most.
func (c *container) veth() string { return "gns" + c.state.ID }

// chooseNetwork returns the containers' address range: the one in use, or one
// that nobody on this machine uses. addresses are the machine's.
func chooseNetwork(conn *netlink.Conn, pool *ippool.Pool, addresses []netip.Prefix) (netip.Prefix, error) {
	if network := pool.Network(); network.IsValid() {
		return network, nil
	}
	routes, err := conn.Routes()
	if err != nil {
		return netip.Prefix{}, err
	}
	return pool.Choose(ippool.Candidates(), append(addresses, routes...))
}

// makeBridge makes what is missing of the bridge and its address, whatever
// became of those who made it for the containers that are there.
func makeBridge(conn *netlink.Conn, network netip.Prefix, addresses []netip.Prefix) error {
	gateway := netip.PrefixFrom(ippool.Gateway(network), network.Bits())
	if slices.Contains(addresses, gateway) {
		return nil
	}
	err := conn.NewBridge(bridge, netlink.Hardware(gateway.Addr()))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return conn.AddAddress(bridge, gateway)
}

// explainLink adds, to an error, what to type where the kernel cannot make such
// an interface.
func explainLink(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: this kernel has no such interfaces: type  sudo modprobe -a bridge veth , or leave the network out: -network none", err)
	}
	return err
}

// disconnect takes back what connect made. The last container takes the bridge
// and the firewall's rules with it.
func (c *container) disconnect() {
	if c.forwarder != nil {
		c.forwarder.Close()
	}
	if c.spec.Network.Mode != "bridge" {
		return
	}
	pool, err := ippool.Open(networkDir())
	if err != nil {
		return
	}
	defer pool.Close()
	pool.Release(c.state.ID)
	conn, err := netlink.Open()
	if err != nil {
		return
	}
	defer conn.Close()
	defer c.netns.Close()
	if len(pool.Leases()) == 0 {
		removeNetwork(pool, conn)
	} else if _, err := conn.Index(c.veth()); err == nil {
		conn.DeleteLink(c.veth())
	}
}

// removeNetwork removes what all containers share, after the last one.
func removeNetwork(pool *ippool.Pool, conn *netlink.Conn) {
	firewall.Remove(networkDir(), pool.Lock(), func() { conn.DeleteAll() })
	pool.Forget()
}

// sweepNetwork removes it where whoever should have done so was killed.
func sweepNetwork() {
	if unix.Access(networkDir(), unix.F_OK) != nil {
		return
	}
	pool, err := ippool.Open(networkDir())
	if err != nil {
		return
	}
	defer pool.Close()
	conn, err := netlink.Open()
	if err != nil {
		return
	}
	defer conn.Close()
	if len(pool.Leases()) == 0 {
		removeNetwork(pool, conn)
	}
}

// files are those in /etc that depend on the network.
func (n Network) files(hostname string) map[string]string {
	address := "127.0.0.1"
	if prefix, err := netip.ParsePrefix(n.Address); err == nil {
		address = prefix.Addr().String()
	}
	files := map[string]string{
		"/etc/hostname": hostname + "\n",
		"/etc/hosts":    fmt.Sprintf("127.0.0.1\tlocalhost\n::1\tlocalhost\n%s\t%s\n", address, hostname),
	}
	if n.Mode != "none" {
		files["/etc/resolv.conf"] = resolv.ResolvConf("/")
	}
	return files
}

// configureNetwork gives the network namespace its addresses and routes, from
// inside.
func configureNetwork(spec Spec) error {
	if !spec.has("net") {
		return nil
	}
	n := spec.Network
	conn, err := netlink.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.LinkUp("lo"); err != nil || n.Address == "" {
		return err
	}
	address, err := netip.ParsePrefix(n.Address)
	if err != nil {
		return err
	}
	gateway, err := netip.ParseAddr(n.Gateway)
	if err != nil {
		return err
	}
	if err := conn.AddAddress("eth0", address); err != nil {
		return err
	}
	if err := conn.LinkUp("eth0"); err != nil {
		return err
	}
	return conn.AddDefaultRoute(gateway)
}
