// Package listener takes the ports of proxies, and passes on what comes to them as the faults of the moment want: TCP by
// connections, UDP by datagrams of clients, HTTP by requests. A Config says what is listened on and where it goes.
package listener
