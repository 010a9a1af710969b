//go:build linux

package main

import (
	"log"
	"net"
	"os/exec"
	"strings"
)

// ip runs ip(8).
func ip(words ...string) {
	check(exec.Command("ip", strings.Fields(strings.Join(words, " "))...).Run())
}

// serve listens on port 8080 of the address, and is a name server there. They
// stand for the rest of the world, so that this can be tried without it.
func serve(address string) {
	_, err := net.Listen("tcp", address+":8080")
	check(err)
	socket, err := net.ListenPacket("udp", address+":53")
	check(err)
	go answer(socket)
}

// answer says to every question for a name that it has the address 10.200.0.1.
func answer(socket net.PacketConn) {
	question := make([]byte, 512)
	for {
		n, who, err := socket.ReadFrom(question)
		check(err)
		reply := append([]byte{}, question[:n]...)
		reply[2], reply[3] = 0x81, 0x80   // a reply, and no error
		if n > 12 && question[n-3] == 1 { // type A was asked for, an IPv4 address
			reply[7] = 1 // one record: the name asked for, A, IN, 60 seconds, 4 bytes
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 200, 0, 1)
		}
		socket.WriteTo(reply, who)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
