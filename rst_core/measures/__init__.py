"""What is measured on a model: accuracies under attack, feature distances, symptoms."""
