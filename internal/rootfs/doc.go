// Package rootfs makes the default root file system: a folder that chroot(2)
// or pivot_root(2) can make the / of a container.
//
// It is built from this machine's own programs: busybox with its applets where
// there is one, else the usual programs with the libraries that their loader
// lists; and bash where the machine has it. Everything in it is a copy, so
// what a container writes there never reaches the host.
//
// It is made once and kept in the user's cache folder:
//
//	gonsrun/rootfs            the root file system
//	gonsrun/rootfs.manifest   what it was made from and what it holds
//	gonsrun/rootfs.lock       held while one is being made
//	gonsrun/rootfs.tmp-*      one that is being made, or an old one in use
//
// It is made anew when a program it was made from has changed on this machine,
// or when one of its own entries is missing or changed.
package rootfs
