/// What `svmm --version` says, and `svmm system info`.
package let versionText = "svmm 0.1.0"
