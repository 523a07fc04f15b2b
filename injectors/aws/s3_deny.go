package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
)

const bucketName = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`

func s3Deny() fault[denyWith] {
	const noBucket, noPolicy = "NoSuchBucket", "NoSuchBucketPolicy"
	bucket := func(c aws.Config, of owned) cloud.Bucket {
		return cloud.Bucket{Config: c, Account: of.account, Name: of.id}
	}
	return denying{
		about: about{
			name:    "s3-deny",
			symptom: mishap.SymptomWrong,
			doc: "Those who read, write or list objects of the bucket get AccessDenied. No object changes. " +
				"S3 writes policies whole: a policy that somebody else writes in the same second may be lost, or the statement be. " +
				"Where Block Public Access is on, S3 takes no policy that is public, also not one that was before.",
			example: "injector: s3-deny\ntargets: {names: [photos]}\nwith: {actions: [\"s3:GetObject\"]}\nfor: 5m",
			settles: time.Minute,
			do:      []allow{reading(findingTagged), acting("s3:GetBucketPolicy", "s3:PutBucketPolicy")},
			undo:    []allow{acting("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")},
			noun:    "bucket", kind: "s3-bucket", arn: "arn:{partition}:s3:::{id}",
			id: like(bucketName), idLike: "photos", revertTakes: 3 * time.Minute, untold: true,
		},
		resources: "s3", limit: 20480,
		actions: s3Actions(),
		covers:  func(arn string) []string { return []string{arn, arn + "/*"} },
		get: func(ctx context.Context, c aws.Config, of owned) (policied, error) {
			text, err := bucket(c, of).Policy(ctx)
			return policied{text: text, gone: cloud.Code(err) == noBucket}, cloud.Failed("read the policy of bucket "+of.id, err, noBucket, noPolicy)
		},
		put: func(ctx context.Context, c aws.Config, of owned, p policied) (err error) {
			if p.text == "" {
				err = bucket(c, of).DeletePolicy(ctx)
			} else {
				err = bucket(c, of).PutPolicy(ctx, p.text)
			}
			return cloud.Failed("write the policy of bucket "+of.id, err)
		},
	}.fault()
}

// s3Actions are those that use data.
func s3Actions() []string {
	return []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"}
}
