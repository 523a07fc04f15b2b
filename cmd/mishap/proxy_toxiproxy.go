package main

import (
	"errors"

	"github.com/spf13/cobra"

	"mishap/internal/certs"
	"mishap/internal/toxiproxy"
)

// toxiproxyFlags are the flags of Toxiproxy's API.
type toxiproxyFlags struct {
	address, config string
	tls             []string
}

func (f *toxiproxyFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "toxiproxy", "", "also answer Toxiproxy's API on this address, such as 127.0.0.1:8474")
	flags.StringVar(&f.config, "toxiproxy-config", "", "create the proxies of this config file of Toxiproxy (JSON)")
	flags.StringSliceVar(&f.tls, "toxiproxy-tls", nil,
		"files for mutual TLS, `CERTIFICATE,KEY,CA`, which an address that is not of this machine needs")
}

// options checks the flags.
func (f *toxiproxyFlags) options() (o toxiproxy.Options, err error) {
	switch {
	case f.address == "" && (f.config != "" || f.tls != nil):
		return o, usageError{errors.New("--toxiproxy-config and --toxiproxy-tls need --toxiproxy HOST:PORT")}
	case f.tls != nil && len(f.tls) != 3:
		return o, usageError{errors.New("--toxiproxy-tls needs three files: CERTIFICATE,KEY,CA")}
	}
	o.Address, o.Config = f.address, f.config
	if f.tls != nil {
		o.TLS = certs.Mutual{Cert: f.tls[0], Key: f.tls[1], CA: f.tls[2]}
	}
	return o, nil
}
