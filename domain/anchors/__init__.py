"""Makes the Merkle trees and the texts of anchors. Keys, clocks and places stay out."""
