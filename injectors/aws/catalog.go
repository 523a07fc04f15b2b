// Package aws is the faults in AWS: one file each.
package aws

import "mishap"

// Catalog lists the faults.
func Catalog(d Deps) []mishap.InjectorKind {
	return []mishap.InjectorKind{
		asgSuspend().injectorKind(d),
		asgZoneLoss().injectorKind(d),
		asgStandby().injectorKind(d),
		asgUnhealthy().injectorKind(d),
		lambdaThrottle().injectorKind(d),
		sqsDeny().injectorKind(d),
		s3Deny().injectorKind(d),
		dynamodbDeny().injectorKind(d),
		kinesisDeny().injectorKind(d),
		iamDeny().injectorKind(d),
		eventSourcePause().injectorKind(d),
		ec2Stop().injectorKind(d),
		ec2Reboot().injectorKind(d),
		ec2Terminate().injectorKind(d),
		subnetIsolate().injectorKind(d),
		ec2Isolate().injectorKind(d),
		routeBlackhole().injectorKind(d),
		vpcEndpointCut().injectorKind(d),
	}
}
