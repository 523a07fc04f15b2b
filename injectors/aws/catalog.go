// Package aws is the faults in AWS: one file each.
package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
)

// Deps is what these injectors need from the rest of the program.
type Deps struct {
	Place func(ctx context.Context, region string) (Place, error) // an empty region is that of the AWS configuration
}

// Place is an account in a region, with credentials.
type Place struct {
	Config          aws.Config
	Account, Region string
}

// Catalog lists the faults.
func Catalog(d Deps) []mishap.InjectorKind {
	return []mishap.InjectorKind{
		ec2Stop().injectorKind(d),
	}
}
