package awsfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mishap/internal/awsfake/policy"
	"mishap/internal/awsfake/wire"
)

// Bucket is one of S3; its name is nobody else's.
const Bucket Kind = "arn:aws:s3:::{id}"

func s3() Service {
	as := func(permission, path string) func(k *call) []Need {
		return func(k *call) []Need {
			resource := Bucket.ARN(Place{}, k.in.Str("Bucket"))
			if path != "" {
				resource += "/" + k.in.Str("Key")
			}
			return []Need{{Action: "s3:" + permission, Resource: resource}}
		}
	}
	return Service{prefix: "s3", policied: true, route: s3Route, actions: map[string]action{
		"ListBuckets":        {do: listBuckets, needs: func(*call) []Need { return []Need{{Action: "s3:ListAllMyBuckets", Resource: "*"}} }},
		"HeadBucket":         {do: inBucket(headBucket), needs: as("ListBucket", "")},
		"ListObjectsV2":      {do: inBucket(listObjects), needs: as("ListBucket", "")},
		"GetBucketLocation":  {do: inBucket(bucketLocation), needs: as("GetBucketLocation", "")},
		"GetBucketTagging":   {do: inBucket(bucketTags), needs: as("GetBucketTagging", "")},
		"GetBucketPolicy":    {do: inBucket(getBucketPolicy), needs: as("GetBucketPolicy", "")},
		"PutBucketPolicy":    {do: inBucket(putBucketPolicy), needs: as("PutBucketPolicy", "")},
		"DeleteBucketPolicy": {do: inBucket(deleteBucketPolicy), needs: as("DeleteBucketPolicy", "")},
		"GetObject":          {do: inBucket(getObject), needs: as("GetObject", "/")},
		"HeadObject":         {do: inBucket(getObject), needs: as("GetObject", "/")},
		"PutObject":          {do: inBucket(putObject), needs: as("PutObject", "/")},
		"DeleteObject":       {do: inBucket(deleteObject), needs: as("DeleteObject", "/")},
	}}
}

// s3Route finds the bucket in the host's name or in the path.
func s3Route(q wire.Request) (string, Doc) {
	path := q.Path
	if bucket, _, inHost := strings.Cut(q.Host, ".s3."); inHost {
		path = slices.Concat([]string{bucket}, path)
	}
	in := Doc{"Bucket": path[0], "Key": strings.Join(path[1:], "/")}
	for key := range q.Query {
		in[key] = q.Query.Get(key)
	}
	for _, of := range []string{"policy", "tagging", "location"} {
		if q.Query.Has(of) && in.Str("Key") == "" {
			verb := map[string]string{"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[q.Method]
			return verb + "Bucket" + strings.ToUpper(of[:1]) + of[1:], in
		}
	}
	switch {
	case in.Str("Bucket") == "":
		return "ListBuckets", in
	case in.Str("Key") != "":
		return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[q.Method], in
	}
	return map[string]string{"GET": "ListObjectsV2", "HEAD": "HeadBucket"}[q.Method], in
}

// AddBucket seeds a bucket, with a policy or none.
func (c *Cloud) AddBucket(p Place, name, policy string, tags map[string]string) {
	defer c.lock()()
	c.plant(Place{Account: p.Account}, Bucket, name, Doc{"Name": name, "CreationDate": c.at, "BucketRegion": p.Region, "_policy": policy, "_tags": maps.Clone(tags)})
}

// inBucket does it to a bucket that exists, in its region, and of the account that is
// expected to own it.
func inBucket(do func(k *call, arn string, seen Doc) (Doc, error)) func(k *call) (Doc, error) {
	return func(k *call) (Doc, error) {
		arn := Bucket.ARN(Place{}, k.in.Str("Bucket"))
		seen := k.seen(arn)
		expected := k.q.Header.Get("X-Amz-Expected-Bucket-Owner")
		switch region := seen.Str("BucketRegion"); {
		case k.now(arn) == nil || seen == nil:
			return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
		case expected != "" && expected != k.docs[arn].place.Account:
			return nil, &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
		case region != k.Region:
			return nil, &Error{Status: http.StatusMovedPermanently, Code: "PermanentRedirect", Message: "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."}
		}
		return do(k, arn, seen)
	}
}

func none() Doc { return Doc{"_status": http.StatusNoContent, "_body": []byte{}} }

func listBuckets(k *call) (Doc, error) {
	page, next := k.paged(k.list(Place{Account: k.Account}, Bucket, true), "continuation-token", "max-buckets")
	all := []Doc{}
	for _, b := range page {
		all = append(all, Doc{"Name": b["Name"], "CreationDate": b["CreationDate"], "BucketRegion": b["BucketRegion"], "BucketArn": b["_arn"]})
	}
	return Doc{"ListAllMyBucketsResult": Doc{"Buckets": Doc{"Bucket": wire.Flat(all)}, "ContinuationToken": next}}, nil
}

func headBucket(k *call, _ string, _ Doc) (Doc, error) {
	return Doc{"_body": []byte{}, "_header": map[string]string{"X-Amz-Bucket-Region": k.Region}}, nil
}

func bucketLocation(_ *call, _ string, seen Doc) (Doc, error) {
	region := seen.Str("BucketRegion")
	if region == "us-east-1" {
		region = ""
	}
	return Doc{"LocationConstraint": region}, nil
}

func bucketTags(_ *call, _ string, seen Doc) (Doc, error) {
	if len(tags(seen)) == 0 {
		return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchTagSet", Message: "The TagSet does not exist"}
	}
	return Doc{"Tagging": Doc{"TagSet": Doc{"Tag": wire.Flat(pairs(tags(seen), "Key", "Value"))}}}, nil
}

func getBucketPolicy(_ *call, _ string, seen Doc) (Doc, error) {
	text := seen.Str("_policy")
	if text == "" {
		return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchBucketPolicy", Message: "The bucket policy does not exist"}
	}
	return Doc{"_body": []byte(text)}, nil
}

// putBucketPolicy keeps a policy as S3 writes it, not as it came. It must come with
// a checksum.
func putBucketPolicy(k *call, arn string, _ Doc) (Doc, error) {
	var whole any
	summed := k.q.Header.Get("Content-Md5") != ""
	for name := range k.q.Header {
		summed = summed || strings.HasPrefix(name, "X-Amz-Checksum-")
	}
	_, err := policy.Parse(string(k.q.Body))
	if err == nil {
		err = json.Unmarshal(k.q.Body, &whole)
	}
	var text strings.Builder
	plain := json.NewEncoder(&text)
	plain.SetEscapeHTML(false)
	_ = plain.Encode(whole) // what was just read
	kept := strings.TrimSpace(text.String())
	switch {
	case !summed:
		return nil, &Error{Code: "InvalidRequest", Message: "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"}
	case err != nil:
		return nil, &Error{Code: "MalformedPolicy", Message: err.Error()}
	case len(kept) > 20480:
		return nil, &Error{Code: "MalformedPolicy", Message: "Normalized policy document exceeds the maximum allowed size of 20480 bytes"}
	}
	k.edit(arn, func(d Doc) { d["_policy"] = kept })
	return none(), nil
}

func deleteBucketPolicy(k *call, arn string, _ Doc) (Doc, error) {
	k.edit(arn, func(d Doc) { d["_policy"] = "" })
	return none(), nil
}

func listObjects(k *call, arn string, _ Doc) (Doc, error) {
	all := []Doc{}
	for _, key := range slices.Sorted(maps.Keys(k.now(arn).Map("_objects"))) {
		if strings.HasPrefix(key, k.in.Str("prefix")) {
			all = append(all, Doc{"Key": key, "Size": len(k.now(arn).Map("_objects")[key])})
		}
	}
	page, next := k.paged(all, "continuation-token", "max-keys")
	return Doc{"ListBucketResult": Doc{"Name": k.in.Str("Bucket"), "KeyCount": len(page), "IsTruncated": next != nil, "NextContinuationToken": next, "Contents": wire.Flat(page)}}, nil
}

func getObject(k *call, arn string, _ Doc) (Doc, error) {
	body, there := k.now(arn).Map("_objects")[k.in.Str("Key")]
	if !there {
		return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist."}
	}
	out := Doc{"_body": []byte(body), "_header": map[string]string{"Content-Type": "binary/octet-stream", "Etag": `"fake"`}}
	if k.name == "HeadObject" {
		out["_body"] = []byte{}
	}
	return out, nil
}

func putObject(k *call, arn string, _ Doc) (Doc, error) {
	k.edit(arn, func(d Doc) {
		all := d.Map("_objects")
		all[k.in.Str("Key")] = string(k.q.Body)
		d["_objects"] = all
	})
	return Doc{"_body": []byte{}, "_header": map[string]string{"Etag": fmt.Sprintf("%q", "fake")}}, nil
}

func deleteObject(k *call, arn string, _ Doc) (Doc, error) {
	k.edit(arn, func(d Doc) {
		all := d.Map("_objects")
		delete(all, k.in.Str("Key"))
		d["_objects"] = all
	})
	return none(), nil
}
