package server

import (
	"mishap/internal/desk"
	"mishap/internal/httpapi"
)

// api is the API of the bench.
func (b *bench) api() *httpapi.API {
	d := desk.New(desk.Options{Settings: b.settings, Member: b.member, Catalog: b.catalog})
	return httpapi.New(httpapi.Options{Settings: b.settings, Member: b.member, Desk: d, Book: b.book, Server: b.Server, Log: b.log})
}
