//go:build linux

package main

import "net"

// nameServer answers that every name has the address 10.200.0.1: a stand-in
// for a real name server, so that this can be tried without the internet.
func nameServer(address string) {
	socket, err := net.ListenPacket("udp", address)
	check(err)
	query := make([]byte, 512)
	for {
		n, who, err := socket.ReadFrom(query)
		check(err)
		answer := append([]byte{}, query[:n]...)
		answer[2], answer[3] = 0x81, 0x80 // an answer, and no error
		if n > 4 && answer[n-3] == 1 {    // asked for type A, an IPv4 address
			answer[7] = 1 // one record: that name, A, IN, 60 seconds, 4 bytes
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 200, 0, 1)
		}
		socket.WriteTo(answer, who)
	}
}
