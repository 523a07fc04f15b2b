package comparison

import "context"

// Joining carries what dependencies know to an edge, once with each call.
func Joining(edge Edge, all ...Dependency) func(context.Context) {
	x := newExposure(edge, all)
	return func(ctx context.Context) { x.join(ctx) }
}
