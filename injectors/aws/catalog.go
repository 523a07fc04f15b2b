// Package aws is the faults in AWS: one file each.
package aws

import (
	"context"

	"mishap"
	"mishap/internal/cloud"
)

// Deps is what these injectors need from the rest of the program.
type Deps struct {
	// Place is where faults may be: an account and a region that the settings list.
	// Empty is what they list alone, or what the AWS configuration says.
	Place func(ctx context.Context, account, region string) (cloud.Place, error)
	// Recorded is where an injection is, whatever the settings list today.
	Recorded func(ctx context.Context, at cloud.At) (cloud.Place, error)
}

// Catalog lists the faults.
func Catalog(d Deps) []mishap.InjectorKind {
	return []mishap.InjectorKind{
		ec2Stop().injectorKind(d),
	}
}
